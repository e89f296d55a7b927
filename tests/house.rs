//! The rules of the house, enforced: who imports whom, how long a file is, that every dependency has its reason,
//! and where it comes from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who may import whom; `docs/architecture.md` says why.
const EDGES: [(&str, &[&str]); 21] = [
    ("mail", &[]),
    ("error", &[]),
    ("fault", &[]),
    ("interrupt", &[]),
    ("patience", &["error", "fault", "interrupt"]),
    ("connections", &["error", "event", "fault", "imap", "interrupt", "patience"]),
    ("roots", &[]),
    ("fuzz", &["config", "imap", "mail", "pop3", "store"]),
    ("event", &["mail"]),
    ("credentials", &["error", "mail", "roots"]),
    ("net", &["credentials", "error", "mail"]),
    ("state", &["error", "fault", "mail"]),
    ("store", &["error", "fault", "mail"]),
    ("retrieve", &["error", "event", "fault", "interrupt", "mail", "state", "store"]),
    (
        "sync",
        &[
            "connections",
            "error",
            "event",
            "fault",
            "imap",
            "interrupt",
            "mail",
            "patience",
            "retrieve",
            "state",
            "store",
        ],
    ),
    ("pop3", &["credentials", "error", "mail", "net", "retrieve"]),
    ("imap", &["credentials", "error", "fault", "mail", "net", "retrieve", "store"]),
    ("local", &["error", "interrupt", "mail", "retrieve", "store"]),
    ("migrate", &["error", "event", "imap", "interrupt", "mail", "retrieve", "state"]),
    ("config", &["credentials", "error", "mail", "net", "retrieve", "store", "sync"]),
    (
        "cli",
        &[
            "config",
            "connections",
            "credentials",
            "error",
            "event",
            "fault",
            "imap",
            "interrupt",
            "local",
            "mail",
            "migrate",
            "net",
            "patience",
            "pop3",
            "retrieve",
            "state",
            "store",
            "sync",
        ],
    ),
];

/// Lines in a file, tests included.
const LONGEST: usize = 450;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty());
    files
}

/// The first component of the path below `src`, without `.rs`.
fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Modules named after `crate::` in code; in a group, each of them.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let group = after.strip_prefix('{').and_then(|g| g.split_once('}'));
        let names = group.map_or_else(|| vec![after], |(inside, _)| inside.split(',').collect());
        for name in names {
            found.insert(name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

#[test]
fn modules_import_only_what_they_may() {
    let mut wrong = Vec::new();
    for file in rust_files("src") {
        let module = module_of(&file);
        if module == "lib" || module == "main" {
            continue;
        }
        let (_, allowed) =
            EDGES.iter().find(|(m, _)| *m == module).unwrap_or_else(|| panic!("{module} has no place in EDGES"));
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            if import != module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_found_in_every_form() {
    let text =
        "use crate::mail::Key;\nuse crate::{net, store::{Maildir}};\n// crate::cli\nlet x = crate::state::open();";
    assert_eq!(imports(text).into_iter().collect::<Vec<_>>(), ["mail", "net", "state", "store"]);
}

#[test]
fn no_file_outgrows_its_room() {
    let long: Vec<_> = (["src", "tests"].iter().flat_map(|f| rust_files(f)))
        .map(|f| (fs::read_to_string(&f).unwrap().lines().count(), f))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "over {LONGEST} lines: {long:#?}");
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let tables = manifest.split("\n[").filter(|t| t.starts_with("dependencies]") || t.starts_with("dev-dependencies]"));
    let lines: Vec<&str> =
        tables.flat_map(|t| t.lines().skip(1)).filter(|l| l.contains(" = ") && !l.starts_with('#')).collect();
    assert!(lines.len() > 20);
    let bare: Vec<_> =
        lines.iter().filter(|l| l.split_once(" # ").is_none_or(|(_, why)| why.trim().len() < 3)).collect();
    assert!(bare.is_empty(), "{bare:#?}");
}

/// Terms under which a crate may come along in a binary of ours; a licence with `AND` or `OR` is read word by word.
const LICENCES: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "CC0-1.0",
    "ISC",
    "LLVM-exception",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn dependencies_come_from_the_registry_on_terms_that_we_can_keep() {
    let output = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let rustc = output("rustc", &["-vV"]);
    let host = rustc.lines().find_map(|l| l.strip_prefix("host: ")).unwrap();
    let args = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let metadata: serde_json::Value = serde_json::from_str(&output(env!("CARGO"), &args)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    let odd: Vec<_> = packages
        .iter()
        .filter(|p| p["name"] != env!("CARGO_PKG_NAME"))
        .filter(|p| {
            let free = |licence: &str| {
                let alternatives = licence.replace('/', " OR ").replace(['(', ')'], "");
                alternatives.split(" OR ").any(|all| {
                    all.split_whitespace().filter(|w| !["AND", "WITH"].contains(w)).all(|w| LICENCES.contains(&w))
                })
            };
            let registry = "registry+https://github.com/rust-lang/crates.io-index";
            p["source"] != registry || !p["license"].as_str().is_some_and(free)
        })
        .map(|p| format!("{} {} from {}: {}", p["name"], p["version"], p["source"], p["license"]))
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
}
