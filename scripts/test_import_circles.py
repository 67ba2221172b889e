"""Tests of import_circles.py: python3 scripts/test_import_circles.py"""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import import_circles  # noqa: E402


def circles(**files):
    """The circles of a crate; `a__b` stands for src/a/b.rs."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            file = Path(folder, "src", name.replace("__", "/") + ".rs")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        crate = import_circles.Crate(folder)
        found = import_circles.circles(crate.imports())
        return [[str(file.relative_to(crate.source)) for file in circle] for circle in found]


PAIR = [["a.rs", "b.rs"]]


class Circles(unittest.TestCase):
    def test_uses_of_each_other(self):
        self.assertEqual(circles(lib="mod a; mod b;", a="use crate::b::B; struct A;", b="use super::a::A;"), PAIR)

    def test_paths_count_and_text_does_not(self):
        a = "fn f() { crate::b::g() }"
        self.assertEqual(circles(lib="mod a; mod b;", a=a, b="fn g() { super::a::f() }"), PAIR)
        quiet = 'fn g() { /* /* crate::a */ super::a */ "crate::a::f"; r#"crate::a::f"#; } // crate::a::f'
        self.assertEqual(circles(lib="mod a; mod b;", a=a, b=quiet), [])

    def test_through_a_module_that_a_use_brought(self):
        b = "use crate::{a, std::x}; fn g<'a>() { a::f() }"
        self.assertEqual(circles(lib="mod a; mod b;", a="use crate::b; fn f() { b::g() }", b=b), PAIR)

    def test_a_parent_that_only_passes_on_is_in_no_circle(self):
        files = {"lib": "mod p;", "p__mod": "mod a; mod b; pub use a::A; pub(crate) use b::B;"}
        self.assertEqual(circles(**files, p__a="pub struct A;", p__b="use super::A; use crate::p; struct B;"), [])
        through = circles(**files, p__a="use crate::p::B; pub struct A;", p__b="use super::A; pub struct B;")
        self.assertEqual(through, [["p/a.rs", "p/b.rs"]])

    def test_a_parent_that_uses_its_children_is(self):
        child = "use super::Shared; pub fn run(_: Shared) {}"
        self.assertEqual(
            circles(lib="mod p;", p="mod a; pub struct Shared; fn f() { a::run(Shared) }", p__a=child),
            [["p/a.rs", "p.rs"]],
        )
        self.assertEqual(
            circles(lib="mod p;", p="mod a; pub use a::run; pub struct Shared; fn f() { run(Shared) }", p__a=child),
            [["p/a.rs", "p.rs"]],
        )
        self.assertEqual(circles(lib="mod p;", p="mod a; pub use a::run; pub struct Shared;", p__a=child), [])

    def test_names_that_a_glob_passes_on(self):
        files = {"lib": "mod a; mod b; mod all;", "all": "pub use crate::a::*;", "a": "use crate::b::B; pub struct A;"}
        self.assertEqual(circles(**files, b="use crate::all::A; pub struct B;"), PAIR)

    def test_tests_are_left_out(self):
        test = "#[cfg(test)] mod tests { use crate::a::A; fn f() { if true {} } } #[cfg(all(test, unix))] use crate::a::A;"
        self.assertEqual(circles(lib="mod a; mod b;", a="use crate::b::B; struct A;", b=f"struct B; {test}"), [])

    def test_inner_modules_belong_to_their_file(self):
        b = "mod inner { use super::super::a::A; } pub struct B;"
        self.assertEqual(circles(lib="mod a; mod b;", a="use crate::b::B; pub struct A;", b=b), PAIR)

    def test_bounds_on_captures_are_no_imports(self):
        a = "fn f<T>() -> impl Iterator<Item = T> + use<T> { if { x } {} } use crate::{b::{self, B,}, c as d,};"
        self.assertEqual(circles(lib="mod a; mod b;", a=a, b="use crate::a::f;"), PAIR)

    def test_uses_that_lead_to_themselves_end(self):
        self.assertEqual(circles(lib="mod a; use crate::x as x; use x::x;", a="use crate::x::y; fn f() { crate::x() }"), [])

    def test_globs_of_each_other_take_no_time(self):
        names = [f"m{i}" for i in range(30)]
        globs = " ".join(f"use crate::{name}::*;" for name in names)
        files = {name: f"{globs} use crate::lost::Name; fn f() {{ Name::new(); x::Name() }}" for name in names}
        self.assertEqual(len(circles(lib=" ".join(f"mod {name};" for name in names), **files)), 1)


if __name__ == "__main__":
    unittest.main()
