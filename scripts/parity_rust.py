"""The public items of a Rust crate, read from its source.

A reader of what rustfmt leaves behind, for one crate that is published and does not change: it knows items, not
expressions, and what it cannot read is an error. An item is a path as `api/` writes it:

    agenttrustid::agents::AgentsAPI::get             a function, method, type, trait, constant, case
    agenttrustid::agents::AgentsAPI::get(agent_id)   a parameter
    agenttrustid::Agent.id                           a field
    <agenttrustid::Agent as Clone>                   a trait that it implements, by hand or derived

Where an item has several paths, the shortest counts. Modules are places, and left out.
"""

import re

TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<text>r(?P<hash>\#*)".*?"(?P=hash)|b?"(?:\\.|[^"\\])*")
      | (?P<char>b?'(?:\\[^']+|[^'\\])')
      | (?P<word>(?:r\#|')?[A-Za-z_][A-Za-z0-9_]*|\d[\w.]*)
      | (?P<mark>::|->|=>|.)""",
    re.VERBOSE | re.DOTALL,
)
OPEN, CLOSE = set("([{<"), set(")]}>")
MODIFIERS = {"const", "async", "unsafe", "extern"}
# What a derive of this name implements beside a trait of its own name.
ALSO = {"Error": ["Display"]}


class Unread(Exception):
    """Something in the source that this reader does not know."""


def tokens_of(text):
    return [found.group() for found in TOKEN.finditer(text) if not found.group("skip")]


class Source:
    """Tokens, and where the reader is in them."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def next(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, *words):
        if self.peek() in words:
            return self.next()
        return None

    def ahead(self, steps):
        return self.tokens[self.at + steps] if self.at + steps < len(self.tokens) else None

    def group(self):
        """What stands between the bracket that comes next and the one that closes it.

        In braces may be expressions, where `<` is no bracket: there only braces count.
        """
        opens = {"{"} if self.peek() == "{" else OPEN
        closes = {"}"} if self.peek() == "{" else CLOSE
        depth, start = 0, self.at + 1
        while True:
            token = self.next()
            depth += (token in opens) - (token in closes)
            if depth == 0:
                return self.tokens[start:self.at - 1]

    def until(self, *ends):
        """What stands before one of these outside every bracket; the end stays."""
        start = self.at
        while self.peek() not in (None, *ends):
            if self.peek() in OPEN:
                self.group()
            else:
                self.next()
        return self.tokens[start:self.at]


def split(tokens):
    """The parts between commas that stand outside every bracket."""
    source, parts = Source(tokens), []
    while source.peek() is not None:
        part = source.until(",")
        if part:
            parts.append(part)
        source.take(",")
    return parts


class Crate:
    """What is public in a crate; `items` has all of it."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        # By where it is written, what is said of an item: its members, and the traits that it implements.
        self.found = {}
        self.impls = []
        # By where it is written, the name under which the root exports it again.
        self.reexports = {}
        self.read_module(self.file("lib"), [])
        for place, of_trait, of, inside in self.impls:
            self.read_impl(place, of_trait, of, inside)

    def file(self, name):
        return Source(tokens_of((self.folder / f"{name}.rs").read_text()))

    def items(self):
        """The path of each public item."""
        paths = set()
        for path, (members, traits) in self.found.items():
            public = f"{self.name}::{self.reexports.get(path, path)}"
            paths.add(public)
            paths.update(public + member for member in members)
            paths.update(f"<{public} as {trait}>" for trait in traits)
        return paths

    def keep(self, place, name, members=(), traits=()):
        self.found["::".join([*place, name])] = set(members), set(traits)

    def read_module(self, source, place):
        """Reads the items of a module; only those that can be reached are kept."""
        while source.peek() is not None:
            attributes, public = self.before_an_item(source)
            if source.peek() is None:
                return
            tested = ["cfg", "(", "test", ")"] in attributes
            self.read_item(source, place, attributes, public and not tested)

    def before_an_item(self, source):
        """Its attributes, and whether it is public."""
        attributes = []
        while source.take("#"):
            source.take("!")
            attributes.append(source.group())
        public = source.take("pub") is not None
        if public and source.peek() == "(":
            source.group()
            public = False
        return attributes, public

    def read_item(self, source, place, attributes, kept):
        while source.peek() in MODIFIERS and source.ahead(2) != ":":
            source.next()
        word = source.next()
        if word == "mod":
            self.read_mod(source, place, kept)
        elif word == "use":
            self.read_use(source, place, kept)
        elif word in ("struct", "enum", "trait"):
            self.read_type(word, source, place, attributes, kept)
        elif word == "fn":
            name, parameters = self.read_function(source)
            if kept:
                self.keep(place, name, parameters)
        elif word in ("type", "const", "static"):
            name = source.next()
            source.until(";")
            source.take(";")
            if kept:
                self.keep(place, name)
        elif word == "impl":
            self.defer_impl(source, place)
        else:
            raise Unread(f"{'::'.join(place) or 'lib'}: an item that begins with {word}")

    def read_mod(self, source, place, kept):
        name = source.next()
        if source.peek() == "{":
            inside = Source(source.group())
        else:
            source.take(";")
            inside = self.file(name) if kept else None
        if kept:
            self.read_module(inside, [*place, name])

    def read_use(self, source, place, kept):
        """Keeps what the root exports again."""
        inside = Source(source.until(";"))
        source.take(";")
        if not kept or place:
            return
        path = [token for token in inside.until("{") if token != "::"]
        names = [part[-1] for part in split(inside.group())] if inside.peek() else [path.pop()]
        for name in names:
            self.reexports["::".join([*path, name])] = name

    def read_type(self, word, source, place, attributes, kept):
        name = source.next()
        source.until("{", ";", "(")
        members = []
        if source.peek() == "(":
            members = [f".{at}" for at, part in enumerate(split(source.group()))
                       if self.before_an_item(Source(part))[1]]
        elif source.peek() == "{":
            read = {"struct": self.fields, "enum": self.cases, "trait": self.methods}[word]
            members = read(source.group())
        source.take(";")
        traits = []
        for attribute in attributes:
            if attribute[0] == "derive":
                derived = [part[-1] for part in split(attribute[2:-1])]
                traits += derived + [also for trait in derived for also in ALSO.get(trait, [])]
        if kept:
            self.keep(place, name, [member for member in members if member[0] != "<"],
                      traits + [member[1:] for member in members if member[0] == "<"])

    def fields(self, tokens, whatever=False):
        """The public ones; of a case, all."""
        found = []
        for part in split(tokens):
            source = Source(part)
            _, public = self.before_an_item(source)
            name = source.next()
            if public or whatever:
                found.append(f".{name.removeprefix('r#')}")
        return found

    def cases(self, tokens):
        """Cases and their fields; a `#[from]` is told as the trait that comes of it, behind a `<`."""
        found = []
        for part in split(tokens):
            source = Source(part)
            self.before_an_item(source)
            case = f"::{source.next()}"
            found.append(case)
            if source.peek() == "{":
                found += [case + field for field in self.fields(source.group(), whatever=True)]
            elif source.peek() == "(":
                inside = source.group()
                if inside[:4] == ["#", "[", "from", "]"]:
                    found.append(f"<From<{''.join(inside[4:])}>")
        return found

    def methods(self, tokens, whatever=True):
        """Functions and their parameters; of an impl, the public ones."""
        found, source = [], Source(tokens)
        while source.peek() is not None:
            _, public = self.before_an_item(source)
            while source.peek() in MODIFIERS:
                source.next()
            if not source.take("fn"):
                raise Unread(f"{source.peek()} among methods")
            name, parameters = self.read_function(source)
            if public or whatever:
                found += [f"::{name}"] + [f"::{name}{parameter}" for parameter in parameters]
        return found

    def read_function(self, source):
        """Its name and its parameters, `self` left out."""
        name, parameters = source.next(), []
        source.until("(")
        for part in split(source.group()):
            words = [word for word in part if word != "mut"]
            if words[1:2] == [":"]:
                parameters.append(f"({words[0]})")
        source.until("{", ";")
        if source.peek() == "{":
            source.group()
        else:
            source.take(";")
        return name, parameters

    def defer_impl(self, source, place):
        """An impl may stand before its type is read, and in another file."""
        if source.peek() == "<":
            source.group()
        of_trait, of = None, source.until("for", "{", "where")
        if source.take("for"):
            of_trait, of = "".join(of), source.until("{", "where")
        source.until("{")
        self.impls.append((place, of_trait, Source(of).until("<")[-1], source.group()))

    def read_impl(self, place, of_trait, of, inside):
        here = "::".join([*place, of])
        elsewhere = [path for path in self.found if path.split("::")[-1] == of]
        for path in [here] if here in self.found else elsewhere[:1]:
            members, traits = self.found[path]
            if of_trait is None:
                members.update(self.methods(inside, whatever=False))
            else:
                traits.add(of_trait)
