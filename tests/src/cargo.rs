//! The workspace as Cargo resolves it for this machine.
//!
//! The features of all members are united here, so a crate that is seen from a member may be there for another member's
//! sake. That errs on the safe side: what must not be seen is not there at all.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::repository;

/// What a dependency is declared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Normal,
    Build,
    Dev,
}

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub license: Option<String>,
    pub description: Option<String>,
    /// The folder, from the root.
    pub folder: String,
    /// `publish = false`.
    pub unpublished: bool,
    /// What its manifest names itself.
    pub direct: BTreeSet<(String, Kind)>,
    /// What is linked into it, near or far; without dev-dependencies.
    pub linked: BTreeSet<String>,
}

/// The members of the workspace, by name.
///
/// # Errors
/// What Cargo said, or what it said too little of.
pub fn members() -> Result<BTreeMap<String, Member>, String> {
    let metadata = metadata()?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let root = text(&metadata["workspace_root"]).ok_or("`cargo metadata` names no root")?;
    let names: BTreeMap<String, String> =
        list(&metadata["packages"]).iter().filter_map(|package| Some((text(&package["id"])?, text(&package["name"])?))).collect();
    let links: BTreeMap<String, Vec<String>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .filter_map(|node| {
            let linked =
                list(&node["deps"]).into_iter().filter(|dep| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev"));
            Some((text(&node["id"])?, linked.filter_map(|dep| text(&dep["pkg"])).collect()))
        })
        .collect();
    let ours: BTreeSet<String> = list(&metadata["workspace_members"]).iter().filter_map(text).collect();
    let mut members = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let Some(id) = text(&package["id"]).filter(|id| ours.contains(id)) else { continue };
        let manifest = text(&package["manifest_path"]).unwrap_or_default();
        let folder = manifest.strip_prefix(&root).and_then(|path| path.strip_suffix("Cargo.toml")).unwrap_or_default();
        let member = Member {
            name: text(&package["name"]).unwrap_or_default(),
            license: text(&package["license"]),
            description: text(&package["description"]),
            folder: folder.trim_matches('/').to_owned(),
            unpublished: package["publish"].as_array().is_some_and(Vec::is_empty),
            direct: list(&package["dependencies"]).iter().filter_map(declared).collect(),
            linked: reached(&id, &links).iter().filter_map(|id| names.get(id).cloned()).collect(),
        };
        members.insert(member.name.clone(), member);
    }
    Ok(members)
}

fn declared(dependency: &Value) -> Option<(String, Kind)> {
    let kind = match dependency["kind"].as_str() {
        None => Kind::Normal,
        Some("build") => Kind::Build,
        Some(_) => Kind::Dev,
    };
    Some((dependency["name"].as_str()?.to_owned(), kind))
}

fn reached(from: &str, links: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(id) = open.pop() {
        for next in links.get(&id).into_iter().flatten() {
            if seen.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    seen
}

fn metadata() -> Result<Value, String> {
    let version = cargo(&["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("`cargo -vV` names no host")?;
    // Only this platform's packages: the others' may never have been downloaded.
    let text = cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", host])?;
    serde_json::from_str(&text).map_err(|error| format!("`cargo metadata` cannot be read: {error}"))
}

fn cargo(arguments: &[&str]) -> Result<String, String> {
    let run = Command::new(env!("CARGO")).args(arguments).current_dir(repository::root()).output();
    let output = run.map_err(|error| format!("cargo cannot be started: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("`cargo {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
    }
}
