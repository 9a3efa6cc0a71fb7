//! The workspace as Cargo resolves it for this machine.
//!
//! The features of all members are united here, so a crate that is seen from a member may be there for another member's
//! sake. That errs on the safe side: what must not be seen is not there at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use crate::repository;

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The package's name, such as `cordon-core`.
    pub name: String,
    /// The SPDX expression of its manifest.
    pub license: Option<String>,
    /// The description of its manifest.
    pub description: Option<String>,
    /// The folder, from the root.
    pub folder: String,
    /// `publish = false`.
    pub unpublished: bool,
    /// The packages that its manifest names itself.
    pub direct: Vec<(String, DependencyKind)>,
    /// The packages that are linked into it, near or far; without dev-dependencies.
    pub linked: BTreeSet<String>,
}

/// Why Cargo did not describe the workspace.
#[derive(Debug, thiserror::Error)]
pub enum CargoError {
    /// The toolchain cannot be asked for its own platform.
    #[error("`cargo -vV` cannot be run")]
    Version(#[source] io::Error),
    /// Its answer lacks the line.
    #[error("`cargo -vV` names no host")]
    NoHost,
    /// `cargo metadata` failed, or its answer cannot be read.
    #[error("`cargo metadata` failed")]
    Metadata(#[source] cargo_metadata::Error),
    /// It was asked for the graph.
    #[error("`cargo metadata` gives no graph of dependencies")]
    NoGraph,
}

/// The members of the workspace, by name.
///
/// # Errors
/// [`CargoError`] with Cargo's own error as its source.
pub fn members() -> Result<BTreeMap<String, Member>, CargoError> {
    // Only this platform's packages: the others' may never have been downloaded.
    let options = ["--locked".to_owned(), "--filter-platform".to_owned(), host()?];
    let metadata = MetadataCommand::new()
        .cargo_path(env!("CARGO"))
        .current_dir(repository::root())
        .other_options(options)
        .exec()
        .map_err(CargoError::Metadata)?;
    let links = links(&metadata)?;
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let member = |package: &&Package| {
        let linked = reached(&package.id, &links).into_iter().filter_map(|id| names.get(id).map(|name| (*name).to_owned()));
        let manifest = package.manifest_path.strip_prefix(&metadata.workspace_root).unwrap_or(&package.manifest_path);
        Member {
            name: package.name.to_string(),
            license: package.license.clone(),
            description: package.description.clone(),
            folder: manifest.parent().map(ToString::to_string).unwrap_or_default(),
            unpublished: package.publish.as_ref().is_some_and(Vec::is_empty),
            direct: package.dependencies.iter().map(|dependency| (dependency.name.clone(), dependency.kind)).collect(),
            linked: linked.collect(),
        }
    };
    Ok(metadata.workspace_packages().iter().map(member).map(|member| (member.name.clone(), member)).collect())
}

fn host() -> Result<String, CargoError> {
    let output = Command::new(env!("CARGO")).arg("-vV").output().map_err(CargoError::Version)?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).ok_or(CargoError::NoHost)
}

/// Each package and what is linked into it directly.
fn links(metadata: &Metadata) -> Result<BTreeMap<&PackageId, Vec<&PackageId>>, CargoError> {
    let graph = metadata.resolve.as_ref().ok_or(CargoError::NoGraph)?;
    let links = graph.nodes.iter().map(|node| {
        let linked = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development));
        (&node.id, linked.map(|dep| &dep.pkg).collect())
    });
    Ok(links.collect())
}

fn reached<'a>(from: &'a PackageId, links: &BTreeMap<&'a PackageId, Vec<&'a PackageId>>) -> BTreeSet<&'a PackageId> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        for next in links.get(id).into_iter().flatten() {
            if seen.insert(*next) {
                open.push(next);
            }
        }
    }
    seen
}
