#!/usr/bin/env python3
"""Finds circles of imports between the source files of a Rust crate.

    python3 scripts/import_circles.py CRATE_FOLDER...      e.g. crates/kernels

File A imports file B where A names something that B defines: in a `use`, or in a path (`crate::b::name`, `super::name`,
`child::name`, or through a name that a `use` brought). A name that comes through a file which only passes it on counts as
an import of the file that defines it, as far as that can be told; else of the file that it was asked of.

No imports are: `mod child;`, and `pub use child::Name` in a parent that does not use the name itself. Tests are left out
(items after `#[cfg(test)]`, and files declared so). What is not seen: methods and trait implementations, names in macros of
other crates, and which names a `use module::*` brings (it counts as an import of that module's file).

Prints each circle with its files and the imports between them; exit status 1 where there is one, 2 for a wrong call.
"""

import re
import sys
from pathlib import Path

TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*)
      | (?P<comment>/\*)
      | (?P<raw>b?r(?P<hashes>\#*)"(?:.|\n)*?"(?P=hashes))
      | (?P<string>[bc]?"(?:\\.|[^"\\])*")
      | (?P<char>b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^'\\])')
      | (?P<name>(?:r\#)?[A-Za-z_]\w*)
      | (?P<mark>::|.)""",
    re.VERBOSE | re.DOTALL,
)
OPEN, CLOSE = {"{", "(", "["}, {"}", ")", "]"}
DEFINES = {"fn", "struct", "enum", "trait", "type", "const", "static", "union"}


def tokens(text):
    """(token, line) pairs without blanks, comments and literals."""
    at, line, found = 0, 1, []
    while at < len(text):
        match = TOKEN.match(text, at)
        if match.lastgroup == "comment":  # they nest
            depth, end = 1, match.end()
            while depth and (mark := re.compile(r"/\*|\*/").search(text, end)):
                depth, end = depth + (1 if mark.group() == "/*" else -1), mark.end()
            end = end if not depth else len(text)
        else:
            end = match.end()
            if match.lastgroup in ("name", "mark"):
                found.append((match.group().removeprefix("r#"), line))
        line += text.count("\n", at, end)
        at = end
    return found


def closing(code, at):
    """Index of the bracket that closes the one at `at`."""
    depth = 0
    for end in range(at, len(code)):
        depth += (code[end][0] in OPEN) - (code[end][0] in CLOSE)
        if depth == 0:
            return end
    return len(code) - 1


def item_end(code, at):
    """Index of the last token of the item that begins at `at`: its `;`, or the brace that closes its body."""
    while at < len(code):
        if code[at][0] == ";":
            return at
        if code[at][0] in OPEN:
            brace = code[at][0] == "{"
            at = closing(code, at)
            if brace:
                return at
        at += 1
    return len(code) - 1


class Scope:
    """A module: a file, or a `mod name { .. }` within one."""

    def __init__(self, file, path):
        self.file, self.path = file, path
        self.uses = []  # (path, name or "*", public, line)
        self.paths = []  # (path, line), outside of uses
        self.defined, self.mentioned = set(), set()


def use_tree(code, at, prefix, found):
    """Appends (path, name) for each leaf of the use tree at `at`; returns the index after it."""
    path = list(prefix)
    while at < len(code):
        token = code[at][0]
        if token == "{":
            end, at = closing(code, at), at + 1
            while at < end:
                at = use_tree(code, at, path, found) + 1  # beyond the comma
            return end + 1
        if token in (",", ";", "}"):
            break
        if token == "as":
            found.append((path, code[at + 1][0]))
            return at + 2
        if token == "*":
            found.append((path, "*"))
            return at + 1
        if token == "self" and path:
            pass  # `a::{self}` is `a`
        elif token != "::":
            path.append(token)
        at += 1
    if path:
        found.append((path, path[-1]))
    return at


class Crate:
    """The modules of a crate, by path."""

    def __init__(self, folder):
        self.source = Path(folder, "src")
        self.scopes, self.test_modules = {}, set()
        root = next((f for f in ("lib.rs", "main.rs") if (self.source / f).is_file()), None)
        if root is None:
            sys.exit(f"{self.source}: neither lib.rs nor main.rs; name a crate's folder, as crates/kernels")
        self.read_file(self.source / root, ())

    def read_file(self, file, path):
        code = tokens(file.read_text(encoding="utf-8"))
        self.scopes[path] = Scope(file, path)
        self.read(code, 0, len(code), self.scopes[path])

    def read(self, code, at, end, scope):
        public = is_test = False
        while at < end:
            token, line = code[at]
            after = code[at + 1][0] if at + 1 < end else ""
            if token == "#" and after in ("[", "!"):
                close = closing(code, at + 1 + (after == "!"))
                words = [word for word, _ in code[at:close]]
                is_test |= "cfg" in words and "test" in words and "not" not in words
                at = close + 1
            elif is_test:
                at, is_test = item_end(code, at) + 1, False
            elif token == "pub":
                public, at = True, (closing(code, at + 1) if after == "(" else at) + 1
            elif token == "use" and after != "<":  # `impl Trait + use<T>` imports nothing
                leaves = []
                close = use_tree(code, at + 1, [], leaves)
                scope.uses += [(leaf, name, public, line) for leaf, name in leaves]
                public, at = False, close + 1
            elif token == "mod" and at + 2 < end and code[at + 2][0] in (";", "{"):
                at, public = self.read_module(code, at, scope), False
            else:
                public = False
                at = self.read_code(code, at, end, scope)

    def read_module(self, code, at, scope):
        name, path = code[at + 1][0], scope.path + (code[at + 1][0],)
        if code[at + 2][0] == "{":
            close = closing(code, at + 2)
            self.scopes[path] = Scope(scope.file, path)
            self.read(code, at + 3, close, self.scopes[path])
            return close + 1
        folder = self.source.joinpath(*scope.path)
        file = next((f for f in (folder / f"{name}.rs", folder / name / "mod.rs") if f.is_file()), None)
        if file is None:
            sys.exit(f"{scope.file}: `mod {name};` has no file where this script looks; teach it #[path]")
        self.read_file(file, path)
        return at + 3

    def read_code(self, code, at, end, scope):
        """Takes a path or one other token; returns the index after it."""
        token, line = code[at]
        before = code[at - 1][0] if at else ""
        if not re.match(r"[A-Za-z_]", token):
            return at + 1
        if before in DEFINES or before == "!" and code[at - 2][0] == "macro_rules":
            scope.defined.add(token)
            return at + 1
        path = [token]
        while at + 2 < end and code[at + 1][0] == "::" and re.match(r"[A-Za-z_]", code[at + 2][0]):
            path.append(code[at + 2][0])
            at += 2
        if before not in (".", "::"):
            scope.mentioned.add(path[0])
            if len(path) > 1:
                scope.paths.append((path, line))
        return at + 1

    def resolve(self, scope, path, seen=None):
        """The scope that defines what `path` names as seen from `scope`; None for other crates' and local names.
        `seen` are the uses followed so far, none of which is followed twice: they may lead to themselves and each other."""
        if not path:
            return None
        seen = set() if seen is None else seen
        head, rest = path[0], path[1:]
        if head == "crate":
            return self.within(self.scopes[()], rest, seen)
        if head == "self":
            return self.within(scope, rest, seen)
        if head == "super":
            return self.within(self.scopes[scope.path[:-1]], rest, seen)
        if scope.path + (head,) in self.scopes or any(name == head for _, name, _, _ in scope.uses):
            return self.within(scope, path, seen)
        return None

    def within(self, scope, path, seen):
        if not path:
            return scope
        head, rest = path[0], path[1:]
        if head == "super":
            return self.within(self.scopes[scope.path[:-1]], rest, seen)
        if (child := scope.path + (head,)) in self.scopes:
            return self.within(self.scopes[child], rest, seen)
        for target, name, _, line in scope.uses:
            if name == head and self.is_new(seen, (scope.path, line, tuple(target))):
                if found := self.resolve(scope, target + rest, seen):
                    return found
        if head not in scope.defined:
            for target, name, _, line in scope.uses:
                if name == "*" and self.is_new(seen, (scope.path, line, tuple(target), head)):
                    origin = self.resolve(scope, target, seen)
                    if origin and (head in origin.defined or any(use[1] == head for use in origin.uses)):
                        return self.within(origin, path, seen)
        return scope

    @staticmethod
    def is_new(seen, key):
        before = len(seen)
        seen.add(key)
        return len(seen) > before

    def imports(self):
        """{file: {file that it imports: "line N: name"}}"""
        edges = {scope.file: {} for scope in self.scopes.values()}
        for scope in self.scopes.values():
            named = [(path, line) for path, line in scope.paths]
            for path, name, public, line in scope.uses:
                is_child = scope.path + (path[0] if path[0] != "self" else "".join(path[1:2]),) in self.scopes
                if not (public and is_child and name not in scope.mentioned):
                    named.append((path, line))
            for path, line in named:
                target = self.resolve(scope, path)
                if target and target.file != scope.file:
                    edges[scope.file].setdefault(target.file, f"line {line}: {'::'.join(path)}")
        return edges


def circles(edges):
    """The strongly connected components of more than one file."""

    def reached(start):
        seen, waiting = set(), [start]
        while waiting:
            for target in edges[waiting.pop()]:
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return seen

    reach = {file: reached(file) for file in edges}
    groups = {frozenset({other for other in reach[f] if f in reach[other]}) for f in edges if f in reach[f]}
    return sorted(sorted(group) for group in groups)


def main(folders):
    if not folders or folders[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    found = False
    for folder in folders:
        crate = Crate(folder)
        edges = crate.imports()
        for circle in circles(edges):
            found = True
            print(f"{folder}: circle of {len(circle)} files")
            for file in circle:
                print(f"  {file.relative_to(crate.source)}")
                for target in sorted(set(edges[file]) & set(circle)):
                    print(f"    -> {target.relative_to(crate.source)}  ({edges[file][target]})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
