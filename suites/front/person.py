"""What a user does at the front door's page, and what the page shows. Checks return a problem, or None."""

from __future__ import annotations

from clients.identity.claims import USER

API = "/api/secure.json"


class Person:
    """A user at a browser window.

    Args:
        base: the site's address.
        signin: the sign-in service, which knows the user's password.
        picture: keeps a screenshot of the window, under a title.
    """

    def __init__(self, window, base, signin, picture):
        self.window = window
        self.picture = picture
        self._page = window.page
        self._base = base
        self._signin = signin

    @property
    def successes(self):
        """How many requests to the API succeeded so far."""
        return self.window.statuses(API).count(200)

    def comes(self):
        self.opens("/")

    def opens(self, path):
        self._page.goto(f"{self._base}{path}")

    def signs_in(self, password=""):
        self._page.click("#sign-in button")
        self._page.fill("input[name=email]", USER)
        self._page.fill("input[name=password]", password or self._signin.password(USER))
        self._page.click("button")

    def signs_out(self):
        self._page.click("#sign-out")
        self._page.wait_for_load_state("networkidle")

    def tampers(self):
        """Another user's name in the token, under the old signature."""
        self._page.evaluate(
            """() => {
                const [head, claims, signature] = sessionStorage.getItem("token").split(".")
                const known = JSON.parse(atob(claims.replace(/-/g, "+").replace(/_/g, "/")))
                const changed = {...known, email: "x@example.com"}
                const packed = btoa(JSON.stringify(changed)).replace(/=/g, "").replace(/[+]/g, "-").replace(/[/]/g, "_")
                sessionStorage.setItem("token", [head, packed, signature].join("."))
                location.reload()
            }"""
        )

    def sees(self, email, message):
        self.window.shows("message")
        self.picture("signed in")
        seen = (self.window.text("email"), self.window.text("message"))
        return None if seen == (email, message) else f"the page shows {seen}"

    def is_signed_out(self, successes=0):
        if not self._page.locator("#sign-in button").is_visible():
            return "there is no sign-in form"
        return self._nothing_shown(successes)

    def is_turned_away_with(self, password):
        self.signs_in(password)
        if "wrong" not in self.window.shows("problem"):
            return "the sign-in service does not report a wrong password"
        self.picture("after the wrong password")
        self.comes()
        return self.is_signed_out()

    def is_refused(self, status, text, successes):
        seen = self.window.shows("refusal")
        if not seen.startswith(status) or text not in seen:
            return f"the page shows {seen!r}"
        return self._nothing_shown(successes)

    def _nothing_shown(self, successes):
        shown = [name for name in ("email", "message") if self.window.text(name)]
        if shown:
            return f"the page shows {', '.join(shown)}"
        more = self.successes - successes
        return f"{more} more requests to the API succeeded" if more else None
