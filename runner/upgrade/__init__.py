"""An upgrade of the mesh in phases, with requests that go on meanwhile, and the verdict whether it is safe to move."""
