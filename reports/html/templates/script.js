(() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const PER_PART = 40;
  const [ANCHOR, MARK, STAGE, SUITE, POLARITY, KINDS, SLOW, FLAPS, TEXT] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const BAD = ["fail", "inconclusive"];

  // Parts of the page that are built when they are opened: name -> promise of their text, and the text once it is there.
  const asked = new Map();
  const texts = new Map();
  const keep = async (name) => {
    texts.set(name, await unpack(name));
    return texts.get(name);
  };
  const text = (name) => {
    if (!asked.has(name)) asked.set(name, keep(name));
    return asked.get(name);
  };

  document.addEventListener("DOMContentLoaded", async () => {
    if (!canUnpack()) return;
    const search = document.getElementById("search");
    const count = document.getElementById("count");
    const boxes = all(".tools fieldset input");
    const filters = all("[data-filter]");
    const holders = all("details[data-part]");
    const { cases, controls } = JSON.parse(await text("index"));
    const places = new Map(cases.map((row, place) => [row[ANCHOR], place]));
    let visible = cases.map(() => true);

    // -- building

    const show = (within) => {
      for (const item of all("[data-case]", within)) item.classList.toggle("unmatched", !visible[item.dataset.case]);
    };
    const fill = (holder) => {
      const built = holder.lastElementChild;
      if (built.hasChildNodes() || !texts.has(holder.dataset.part)) return;
      built.innerHTML = texts.get(holder.dataset.part);
      show(built);
    };
    const build = async (holder) => {
      await text(holder.dataset.part);
      fill(holder);
    };
    const open = async (holder) => {
      await build(holder);
      holder.open = true;
    };
    const body = async (item) => {
      const place = Number(item.dataset.case);
      const several = JSON.parse(await text(`b${Math.floor(place / PER_PART)}`));
      if (!item.lastElementChild.hasChildNodes()) item.lastElementChild.innerHTML = several[place % PER_PART];
    };
    document.addEventListener("toggle", (event) => {
      if (!event.target.open) return;
      if (event.target.matches("details[data-part]")) build(event.target);
      if (event.target.matches(".case")) body(event.target);
    }, true);
    const bad = () => cases.flatMap((row, place) => (visible[place] && BAD.includes(row[MARK]) ? [place] : []));

    // -- filters, kept in the address

    const given = new URLSearchParams(location.search);
    search.value = given.get("q") || "";
    const hidden = (given.get("hide") || "").split(",");
    boxes.forEach((box) => { box.checked = !hidden.includes(box.value); });
    for (const item of filters) {
      if (item.type === "checkbox") item.checked = given.has(item.dataset.filter);
      else if ([...item.options].some((one) => one.value === given.get(item.dataset.filter))) item.value = given.get(item.dataset.filter);
    }
    const chosen = () => Object.fromEntries(filters.map((item) => [item.dataset.filter, item.type === "checkbox" ? (item.checked ? "1" : "") : item.value]));
    const remember = (wanted) => {
      const kept = new URLSearchParams();
      if (search.value) kept.set("q", search.value);
      const off = boxes.filter((box) => !box.checked).map((box) => box.value);
      if (off.length) kept.set("hide", off.join(","));
      for (const [name, value] of Object.entries(wanted)) if (value) kept.set(name, value);
      const query = kept.size ? `?${kept}` : location.pathname.split("/").pop() || ".";
      try { history.replaceState(null, "", query + location.hash); } catch { /* a page without an address of its own */ }
    };
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
      const wanted = chosen();
      const narrowed = words.length > 0 || Object.values(wanted).some(Boolean);
      const inStage = new Map();
      let number = 0;
      visible = cases.map((row) => {
        const found = !off.has(row[MARK]) && words.every((word) => row[TEXT].includes(word))
          && (!wanted.suite || row[SUITE] === wanted.suite) && (!wanted.polarity || row[POLARITY] === wanted.polarity)
          && (!wanted.kind || row[KINDS].includes(wanted.kind))
          && (!wanted.slow || row[SLOW] === 1) && (!wanted.flapped || row[FLAPS] > 0);
        if (found) {
          number += 1;
          inStage.set(row[STAGE], (inStage.get(row[STAGE]) || 0) + 1);
        }
        return found;
      });
      for (const holder of holders) {
        const here = inStage.get(Number(holder.dataset.stage)) || 0;
        holder.classList.toggle("empty", !here);
        const shown = holder.querySelector(":scope > summary .shown");
        if (shown) shown.textContent = narrowed && here ? `${here} shown` : "";
        if (holder.open) show(holder.lastElementChild);
        else if (narrowed && here && number <= 200 && holder.matches(".group")) open(holder);
      }
      all(".built").filter((built) => built.hasChildNodes() && !built.parentElement.open).forEach(show);
      if (narrowed) all(".bulk").forEach((item) => { item.open = true; });
      count.textContent = number === cases.length ? "" : `${number} of ${cases.length} cases shown`;
      document.getElementById("next").hidden = !bad().length;
      return wanted;
    };
    const changed = () => remember(filter());
    search.addEventListener("input", changed);
    [...boxes, ...filters].forEach((item) => item.addEventListener("change", changed));

    // -- from place to place

    const go = async (place) => {
      if (!visible[place]) {
        search.value = "";
        boxes.forEach((box) => { box.checked = true; });
        filters.forEach((item) => { if (item.type === "checkbox") item.checked = false; else item.value = ""; });
        changed();
      }
      await open(holders.find((holder) => holder.matches(".group") && Number(holder.dataset.stage) === cases[place][STAGE]));
      const item = document.getElementById(cases[place][ANCHOR]);
      const closed = item.closest(".case, .bulk");
      closed.open = true;
      if (closed === item) await body(item);
      return item;
    };
    const here = () => {
      let name = location.hash.slice(1);
      try { name = decodeURIComponent(name); } catch { /* a percent sign alone is no escape */ }
      return places.get(controls[name] || name);
    };
    const follow = async () => {
      const place = here();
      if (place !== undefined) (await go(place)).scrollIntoView();
    };
    addEventListener("hashchange", follow);
    document.addEventListener("click", (event) => {  // the same link again changes nothing in the address
      const link = event.target.closest("a[href^='#']");
      if (link && link.hash === location.hash) follow();
    });
    const next = (step) => {
      const there = bad();
      if (!there.length) return;
      const at = there.indexOf(here());
      const place = there[at < 0 ? (step > 0 ? 0 : there.length - 1) : (at + step + there.length) % there.length];
      if (location.hash === `#${cases[place][ANCHOR]}`) follow();
      else location.hash = cases[place][ANCHOR];
    };
    document.getElementById("next").addEventListener("click", () => next(1));
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea")) return;
      if (event.key === "n") next(1);
      if (event.key === "p") next(-1);
      if (event.key === "/") {
        event.preventDefault();
        search.focus();
      }
    });

    // -- copying

    document.addEventListener("click", async (event) => {
      const button = event.target.closest("button.copy");
      if (!button) return;
      const command = button.parentElement.querySelector("pre");
      try {
        await navigator.clipboard.writeText(command.textContent);
      } catch {  // a page that was not served over HTTPS has no clipboard
        getSelection().selectAllChildren(command);
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });

    // -- all of it

    document.getElementById("open-all").addEventListener("click", async (event) => {
      const shown = holders.filter((holder) => !holder.classList.contains("empty"));
      const opened = shown.some((holder) => !holder.open) || all(".case:not(.unmatched):not([open])").length > 0;
      if (opened) await Promise.all(shown.map(open));
      else shown.forEach((holder) => { holder.open = false; });
      const items = all(".case:not(.unmatched)");
      if (items.length <= 500) items.forEach((item) => { item.open = opened; });
      event.target.textContent = opened ? "Close all" : "Open all";
    });
    // Paper: every row, and the evidence of what is not a pass in full; before theme.js opens what is closed.
    addEventListener("beforeprint", () => holders.forEach(fill), true);
    window.meshproof = { ready: async () => {
      await Promise.all(holders.map(build));
      await Promise.all(all(".case").filter((item) => !["pass", "skip"].includes(item.dataset.verdict)).map(body));
      once();
    } };
    // An object that was applied for several cases is printed with the first of them.
    const once = () => {
      const printed = new Map();
      all(".case .fold > pre").forEach((applied) => {
        const item = applied.closest(".case");
        const first = printed.get(applied.textContent);
        if (!first) { printed.set(applied.textContent, item); return; }
        const note = document.createElement("p"), link = document.createElement("a");
        note.className = "quiet";
        link.href = "#" + first.id;
        link.textContent = first.querySelector(".cid").textContent;
        note.append("the same as for ", link);
        applied.replaceWith(note);
      });
    };

    filter();
    await Promise.all(holders.filter((holder) => "open" in holder.dataset).map(open));
    const failed = bad();
    if (failed.length <= 20) {
      await Promise.all(failed.map(async (place) => {
        const item = document.getElementById(cases[place][ANCHOR]);
        if (!item.matches(".case")) return;
        await body(item);
        item.open = true;
      }));
    }
    await follow();
    document.documentElement.dataset.built = "yes";
    const idle = window.requestIdleCallback || ((work) => setTimeout(work, 200));
    const rest = holders.map((holder) => holder.dataset.part);
    const prepare = () => { if (rest.length) text(rest.shift()).then(() => idle(prepare)); };  // for paper, which does not wait
    idle(prepare);
  });
})();
