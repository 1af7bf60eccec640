//! Which module of a crate names which other: read from its sources, as far as they are compiled into it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Expr, ExprLit, Item, ItemMod, Lit, Meta, UseTree};

/// The modules that each top module names, and the files in which it does.
pub(super) type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Returns the arrows of the crate whose `lib.rs` is in `sources`. What is only compiled for tests draws none.
pub(super) fn arrows(sources: &Path) -> Arrows {
    let root = read_items(&sources.join("lib.rs"));
    let modules: BTreeSet<String> = root.iter().filter_map(declared).collect();
    let mut names = BTreeMap::new();
    for item in &root {
        if let Item::Use(import) = item {
            exported(&import.tree, None, &mut names);
        }
    }
    names.retain(|_, module| modules.contains(module));
    let mut survey = Survey { sources, modules, names, arrows: Arrows::new() };
    survey.items(&root, &sources.join("lib.rs"), sources, &mut Vec::new());
    survey.arrows
}

fn declared(item: &Item) -> Option<String> {
    match item {
        Item::Mod(module) if !only_for_tests(item) => Some(module.ident.to_string()),
        _ => None,
    }
}

/// Collects the names that the root of a crate gives to what is in its modules.
fn exported(tree: &UseTree, module: Option<&str>, names: &mut BTreeMap<String, String>) {
    match (tree, module) {
        (UseTree::Path(path), None) if path.ident == "self" || path.ident == "crate" => {
            exported(&path.tree, None, names);
        }
        (UseTree::Path(path), _) => {
            let first = path.ident.to_string();
            exported(&path.tree, Some(module.unwrap_or(&first)), names);
        }
        (UseTree::Group(group), _) => {
            group.items.iter().for_each(|tree| exported(tree, module, names));
        }
        (UseTree::Name(name), Some(module)) => {
            names.insert(name.ident.to_string(), module.to_owned());
        }
        (UseTree::Rename(name), Some(module)) => {
            names.insert(name.rename.to_string(), module.to_owned());
        }
        _ => {}
    }
}

fn read_items(file: &Path) -> Vec<Item> {
    let text = std::fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()));
    let parsed = syn::parse_file(&text);
    parsed.unwrap_or_else(|error| panic!("{} is no Rust: {error}", file.display())).items
}

/// Returns whether `#[cfg(test)]` stands before it.
fn only_for_tests(item: &Item) -> bool {
    let mut tokens = item.to_token_stream().into_iter();
    while let (Some(TokenTree::Punct(mark)), Some(TokenTree::Group(attribute))) =
        (tokens.next(), tokens.next())
    {
        if mark.as_char() != '#' {
            return false;
        }
        let attribute: String = attribute.stream().to_string().split_whitespace().collect();
        if attribute == "cfg(test)" {
            return true;
        }
    }
    false
}

struct Survey<'a> {
    sources: &'a Path,
    /// The top modules.
    modules: BTreeSet<String>,
    /// The names at the root, and the module that each comes from.
    names: BTreeMap<String, String>,
    arrows: Arrows,
}

impl Survey<'_> {
    /// Looks at the items of a module at `way`. It stands in `file`, and its own modules in `folder`.
    fn items(&mut self, items: &[Item], file: &Path, folder: &Path, way: &mut Vec<String>) {
        for item in items.iter().filter(|item| !only_for_tests(item)) {
            let Item::Mod(module) = item else {
                self.tokens(item.to_token_stream(), file, way);
                continue;
            };
            way.push(module.ident.to_string());
            let folder = folder.join(module.ident.to_string());
            match &module.content {
                Some((_, items)) => self.items(items, file, &folder, way),
                None => {
                    let (file, folder) = place(module, file, folder);
                    self.items(&read_items(&file), &file, &folder, way);
                }
            }
            way.pop();
        }
    }

    /// Looks for `crate::` and `super::`, in macros too.
    fn tokens(&mut self, tokens: TokenStream, file: &Path, way: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream(), file, way),
                // `$crate` and `pub(super)` lead nowhere; the second `super` of two was seen with the first.
                TokenTree::Ident(word) if word == "crate" || word == "super" => {
                    let before = index.checked_sub(1).and_then(|before| tokens.get(before));
                    if !before.is_some_and(is_part_of_a_path) {
                        self.path(&tokens[index..], file, way);
                    }
                }
                _ => {}
            }
        }
    }

    /// Follows a path that begins with `crate` or `super`.
    fn path(&mut self, tokens: &[TokenTree], file: &Path, way: &[String]) {
        let mut base: Vec<String> = way.to_vec();
        let mut rest = tokens;
        loop {
            match rest {
                [TokenTree::Ident(word), TokenTree::Punct(_), TokenTree::Punct(_), after @ ..]
                    if word == "crate" || word == "super" =>
                {
                    if word == "crate" {
                        base.clear();
                    } else {
                        base.pop();
                    }
                    rest = after;
                }
                _ => break,
            }
        }
        if let Some(room) = base.first() {
            self.arrow(room.clone(), file, way);
            return;
        }
        match rest.first() {
            Some(TokenTree::Ident(name)) => self.arrow(name.to_string(), file, way),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let mut begins = true;
                for token in group.stream() {
                    match token {
                        TokenTree::Ident(name) if begins => {
                            self.arrow(name.to_string(), file, way);
                            begins = false;
                        }
                        TokenTree::Punct(mark) => begins = mark.as_char() == ',',
                        _ => begins = false,
                    }
                }
            }
            _ => {}
        }
    }

    fn arrow(&mut self, name: String, file: &Path, way: &[String]) {
        let Some(from) = way.first() else { return };
        let to = self.names.get(&name).cloned().unwrap_or(name);
        if to == *from || !self.modules.contains(&to) {
            return;
        }
        let file = file.strip_prefix(self.sources).unwrap_or(file).display().to_string();
        let arrows = self.arrows.entry(from.clone()).or_default();
        arrows.entry(to).or_default().insert(file);
    }
}

fn is_part_of_a_path(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(mark) if matches!(mark.as_char(), ':' | '$'))
}

/// Returns the file of a module that stands in one of its own, and where its own modules are.
fn place(module: &ItemMod, parent: &Path, folder: PathBuf) -> (PathBuf, PathBuf) {
    let given = module.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    });
    if let Some(given) = given {
        let file = parent.with_file_name("").join(given);
        let folder = file.with_file_name("");
        return (file, folder);
    }
    let inside = folder.join("mod.rs");
    let file = if inside.exists() { inside } else { folder.with_extension("rs") };
    (file, folder)
}
