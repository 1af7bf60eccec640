"""The public items of a Python package, read from its source; nothing of it is run.

An item is a path:

    agenttrustid.client.AgentsAPI.get             a class, function, method, property, field, member, attribute, alias
    agenttrustid.client.AgentsAPI.get(agent_id)   a parameter; of `__init__`, agenttrustid.AgentTrustClient(timeout)

Where an item has several paths, the shortest counts. Of a name that begins with an underscore nothing counts but the
methods that Python itself calls (`__enter__`, `__call__`). Modules are places, loggers and other lower-case variables
of theirs are their own affair; both are left out.
"""

import ast


class Package:
    """What is public in a package; `items` has all of it."""

    def __init__(self, name, folder):
        self.name = name
        self.exported = set()
        self.found = set()
        trees = {path.stem: ast.parse(path.read_text()) for path in sorted(folder.glob("*.py"))}
        for node in trees.pop("__init__").body:
            if isinstance(node, ast.ImportFrom):
                self.exported.update((node.module, alias.name) for alias in node.names)
        for module, tree in trees.items():
            for node in tree.body:
                self.read(module, node)

    def items(self):
        """The path of each public item."""
        return self.found

    def path(self, module, name):
        return f"{self.name}.{name}" if (module, name) in self.exported else f"{self.name}.{module}.{name}"

    def read(self, module, node):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if not node.name.startswith("_"):
                path = self.path(module, node.name)
                self.found.add(path)
                if isinstance(node, ast.ClassDef):
                    self.read_class(node, path)
                else:
                    self.read_parameters(node, path)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if target.id[:1].isupper():
                    self.found.add(self.path(module, target.id))

    def read_class(self, node, path):
        for member in node.body:
            if isinstance(member, ast.FunctionDef):
                self.read_method(member, path)
            elif isinstance(member, ast.AnnAssign):
                self.keep(path, member.target.id)
            elif isinstance(member, ast.Assign):
                for target in member.targets:
                    self.keep(path, target.id)

    def read_method(self, method, path):
        if method.name == "__init__":
            self.read_parameters(method, path)
            for node in ast.walk(method):
                for target in getattr(node, "targets", []):
                    if isinstance(target, ast.Attribute) and getattr(target.value, "id", None) == "self":
                        self.keep(path, target.attr)
        elif method.name.startswith("__"):
            self.found.add(f"{path}.{method.name}")
        elif not method.name.startswith("_"):
            self.found.add(f"{path}.{method.name}")
            self.read_parameters(method, f"{path}.{method.name}")

    def keep(self, path, name):
        if not name.startswith("_"):
            self.found.add(f"{path}.{name}")

    def read_parameters(self, function, path):
        given = function.args
        for parameter in given.posonlyargs + given.args + given.kwonlyargs:
            if parameter.arg not in ("self", "cls"):
                self.found.add(f"{path}({parameter.arg})")
