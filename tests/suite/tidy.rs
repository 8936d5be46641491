//! House rules that a machine can check.
#![expect(clippy::disallowed_methods, reason = "reads the sources, not a store")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 700;
/// Files that may be longer, and why.
const LONG: [(&str, &str); 2] = [
    ("src/tree/compaction/tests.rs", "one model of the levels and the many states it is put into"),
    ("tests/suite/objects_model.rs", "one model of buckets and the many verbs it is compared in"),
];
/// Where `unsafe` may stand: the obligations that its blocks cite open the file or its module.
const UNSAFE: [&str; 11] = [
    "src/log/arena.rs",
    "src/log/models.rs",
    "src/log/segment.rs",
    "src/log/tail.rs",
    "src/storage/map.rs",
    "src/tree/memtable/arena.rs",
    "src/tree/memtable/cursor.rs",
    "src/tree/memtable/link.rs",
    "src/tree/memtable/node.rs",
    "src/tree/memtable/record.rs",
    "src/tree/prefetch.rs",
];
/// Of another package, generated, or not text.
const SKIPPED: [&str; 6] = ["target", ".git", "Cargo.lock", "golden", "proptest-regressions", "corpus"];

/// A file of the repository, by its path from the root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.ends_in("rs")
    }

    fn ends_in(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// Numbered from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut todo: Vec<PathBuf> = vec![root().into()];
    while let Some(path) = todo.pop() {
        if SKIPPED.iter().any(|name| path.file_name().is_some_and(|found| found == *name)) {
            continue;
        }
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push(Source {
                path: path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(),
                text,
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 100, "the sources are where this test runs");
    found
}

fn check(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn files_open_with_what_they_are_and_are_short() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.is_rust()) {
        if !source.text.starts_with("//! ") {
            broken.push(format!("{} does not open with what it is", source.path));
        }
        let count = source.text.lines().count();
        let may_be_long = LONG.iter().any(|(path, _)| *path == source.path);
        if may_be_long != (count > LINES_MAX) {
            broken.push(format!(
                "{} has {count} lines; its limit is {LINES_MAX}, or it needs none",
                source.path
            ));
        }
    }
    check("every file opens with `//!` and has one subject", &broken);
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("db", "g!("),
        concat!("to", "do!("),
    ];
    let mut broken = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            if words.iter().any(|word| line.contains(word)) {
                broken.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    check("what is to be done is done, or is not in the source", &broken);
}

#[test]
fn unsafe_stays_on_its_islands() {
    let mut broken = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources().iter().filter(|source| source.is_rust() && source.path.starts_with("src/")) {
        for (number, line) in source.lines() {
            let code = line.split("//").next().unwrap_or_default();
            if !code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe") {
                continue;
            }
            used.insert(source.path.clone());
            if !UNSAFE.contains(&&*source.path) {
                broken.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    for path in UNSAFE.iter().filter(|path| !used.contains(**path)) {
        broken.push(format!("{path} has none any more"));
    }
    check("unsafe code is where obligations are written down", &broken);
}

/// Ids that stand in parentheses in a comment: alone, or with others or other words between commas.
fn cited(line: &str) -> Vec<String> {
    let Some((_, comment)) = line.split_once("//") else { return Vec::new() };
    let mut ids = Vec::new();
    for part in comment.split('(').skip(1) {
        let Some((inside, _)) = part.split_once(')') else { continue };
        ids.extend(inside.split(", ").map(str::trim).filter(|id| is_id(id)).map(str::to_owned));
    }
    ids
}

fn is_id(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && matches!(word.len(), 2 | 3)
        && chars.all(|c| c.is_ascii_digit())
}

/// An invariant is defined in the file that cites it, in one beside it, or in a module above.
#[test]
fn cited_invariants_exist() {
    let sources = sources();
    let mut defined = BTreeMap::<PathBuf, BTreeSet<String>>::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let ids = source
            .lines()
            .filter_map(|(_, line)| line.strip_prefix("//! ")?.split_once(". ").map(|(id, _)| id));
        let ids: BTreeSet<String> = ids.filter(|id| is_id(id)).map(str::to_owned).collect();
        defined.entry(Path::new(&source.path).parent().unwrap().into()).or_default().extend(ids);
    }
    assert!(defined[Path::new("src/log")].contains("T1"));
    let mut broken = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        for (number, line) in source.lines() {
            for id in cited(line) {
                let mut above = Path::new(&source.path).ancestors().skip(1);
                if !above.any(|directory| defined.get(directory).is_some_and(|ids| ids.contains(&id))) {
                    broken.push(format!("{}:{number}: {id}", source.path));
                }
            }
        }
    }
    check("a cited invariant is written down", &broken);
}

#[test]
fn nothing_depends_on_one_machine() {
    let places = [
        concat!("/ho", "me/"),
        concat!("/wo", "rk/"),
        concat!("/tm", "p/"),
        concat!("/ro", "ot/"),
        concat!("/Use", "rs/"),
    ];
    let mut broken = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            if places.iter().any(|place| line.contains(place)) {
                broken.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    check("no path of one machine", &broken);
}

#[test]
fn the_code_map_names_every_file() {
    let map = include_str!("../../ARCHITECTURE.md");
    let mapped: BTreeSet<String> = map
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once(".rs` |")?.0))
        .map(|path| format!("src/{path}.rs"))
        .collect();
    let is_test = |path: &str| {
        ["tests.rs", "tests/", "log/crash.rs", "log/models.rs"].iter().any(|part| path.contains(part))
    };
    let sources = sources();
    let files = sources.iter().filter(|source| source.is_rust()).map(|source| source.path.clone());
    let files: BTreeSet<String> = files.filter(|path| path.starts_with("src/") && !is_test(path)).collect();
    let broken: Vec<String> = mapped.symmetric_difference(&files).cloned().collect();
    check("the code map in ARCHITECTURE.md has a line for every file, and no other", &broken);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.ends_in("md")) {
        let folder = root().join(&source.path).parent().unwrap().to_path_buf();
        for target in
            source.text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link))
        {
            if target.starts_with("http") {
                continue;
            }
            let (file, anchor) =
                target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let path = if file.is_empty() { root().join(&source.path) } else { folder.join(file) };
            let anchor_of = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            let found = match anchor {
                None => path.exists(),
                Some(anchor) => fs::read_to_string(path).is_ok_and(|text| {
                    text.lines().any(|line| line.starts_with('#') && anchor_of(line) == anchor)
                }),
            };
            if !found {
                broken.push(format!("{}: {target}", source.path));
            }
        }
    }
    check("a link leads to a file, an anchor to a heading", &broken);
}

/// A type that is `pub` is part of the interface: a lint refuses `pub` on what cannot be reached.
#[test]
fn public_types_have_an_example() {
    let mut broken = Vec::new();
    // The bare log is hidden, and no part of it.
    let is_library = |path: &str| path.starts_with("src/") && path != "src/bare.rs";
    for source in sources().iter().filter(|source| source.is_rust() && is_library(&source.path)) {
        let mut has_example = false;
        for (number, line) in source.lines() {
            let is_type =
                ["pub struct ", "pub enum ", "pub trait "].iter().any(|kind| line.starts_with(kind));
            if is_type && !has_example {
                broken.push(format!("{}:{number}: {line}", source.path));
            }
            has_example = line.starts_with("/// ```") || has_example && line.starts_with(['/', '#']);
        }
    }
    check("a public type has an example", &broken);
}
