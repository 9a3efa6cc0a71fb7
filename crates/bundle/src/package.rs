//! Packs the functions: a zip each with `bootstrap`, `cordon.toml` and `rules.json`, and the manifest that Terraform reads. Beside
//! them it writes the two templates that other accounts get.
//!
//! The same input gives the same bytes: times are fixed, modes are set. A function that has not changed is not packed again. It
//! never compiles anything; the caller says where the executables are.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use crate::files::{ReadError, read_config};
use crate::load::PACKED_RULES;
use crate::spoke::{Spoke, SpokeError, rules_template};

/// The functions of a deployment, which are also the names of their packages and executables.
pub const FUNCTIONS: [&str; 7] =
    ["classify", "check-exceptions", "notify", "wait-for-approval", "slack-callback", "remediate", "make-call"];

/// The CloudFormation template with the roles of another account.
pub const ROLES_TEMPLATE: &str = "cordon-spoke-roles.json";
/// The CloudFormation template that forwards another account's events, Region by Region.
pub const RULES_TEMPLATE: &str = "cordon-spoke-rules.json";

/// Raised when the same input has to give different bytes than before.
const FORMAT: &str = "cordon-zip-2";

/// Why the functions were not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file that cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder that cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// [`PackageOptions::bootstraps`] lacks one of [`FUNCTIONS`].
    #[error("no executable is named for the function `{function}`")]
    NoExecutable {
        /// The function.
        function: &'static str,
    },
    /// A zip that could not be made.
    #[error("cannot pack `{function}`")]
    Zip {
        /// The function.
        function: &'static str,
        /// Why.
        #[source]
        source: zip::result::ZipError,
    },
    /// A `cordon.toml` that cannot be read.
    #[error(transparent)]
    Config(#[from] ReadError),
    /// Other accounts could not be given their part.
    #[error(transparent)]
    Spoke(#[from] SpokeError),
    /// A manifest or stamp that could not be written as JSON.
    #[error("cannot write the manifest as JSON")]
    Json(#[source] serde_json::Error),
}

/// The processor that executables were built for, by the name that Lambda gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// AWS Graviton.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// The architecture of this machine, for functions that the emulator runs on it.
    #[must_use]
    pub fn host() -> Self {
        if std::env::consts::ARCH == "aarch64" { Self::Arm64 } else { Self::X86_64 }
    }
}

/// The inputs of [`package()`], and the folder it writes to.
#[derive(Debug, Clone)]
pub struct PackageOptions {
    /// The executable of each of [`FUNCTIONS`].
    pub bootstraps: BTreeMap<String, PathBuf>,
    /// The `cordon.toml` to pack.
    pub config: PathBuf,
    /// The rules as [`cordon_detect::pack`] made them. The rule files themselves are left out: a function reads one or the other.
    pub rules: String,
    /// The folder that gets the zips and `manifest.json`.
    pub out: PathBuf,
    /// The processor that the executables were built for.
    pub architecture: Architecture,
    /// The patterns that [`cordon_detect::event_patterns`] generated from the rules.
    pub event_patterns: Vec<serde_json::Value>,
}

impl PackageOptions {
    /// Executables as `cargo lambda build` leaves them: `<folder>/<function>/bootstrap`.
    #[must_use]
    pub fn cargo_lambda(folder: &Path) -> BTreeMap<String, PathBuf> {
        FUNCTIONS.iter().map(|name| ((*name).to_owned(), folder.join(name).join("bootstrap"))).collect()
    }

    /// Executables as `cargo build` leaves them: `<folder>/<function>`.
    #[must_use]
    pub fn cargo(folder: &Path) -> BTreeMap<String, PathBuf> {
        FUNCTIONS.iter().map(|name| ((*name).to_owned(), folder.join(name))).collect()
    }
}

/// `manifest.json`, from which Terraform learns about the zips beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The processor of every function.
    pub architecture: Architecture,
    /// The zips, by the function's name.
    pub functions: BTreeMap<String, FunctionZip>,
    /// The EventBridge patterns that select the events.
    pub event_patterns: Vec<serde_json::Value>,
    /// The roles in other accounts.
    pub spoke: Spoke,
}

/// One function's zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionZip {
    /// Relative to the manifest.
    pub zip: String,
    /// The SHA-256 of the zip in base64, as Lambda's `source_code_hash` takes it.
    pub sha256_base64: String,
}

/// Packs every function and writes the manifest.
///
/// # Errors
/// [`PackageError`], naming the file that cannot be read or written, or the function that cannot be packed.
pub fn package(options: &PackageOptions) -> Result<Manifest, PackageError> {
    fs::create_dir_all(&options.out).map_err(|source| PackageError::Write { path: options.out.clone(), source })?;
    let rules = Entry { name: PACKED_RULES.to_owned(), mode: 0o644, content: options.rules.clone().into_bytes() };
    let common = [Entry::read("cordon.toml", 0o644, &options.config)?, rules];
    let mut functions = BTreeMap::new();
    for name in FUNCTIONS {
        let path = options.bootstraps.get(name).ok_or(PackageError::NoExecutable { function: name })?;
        let bootstrap = Entry::read("bootstrap", 0o755, path)?;
        functions.insert(name.to_owned(), pack(name, bootstrap, &common, &options.out)?);
    }
    let spoke = Spoke::of(&read_config(&options.config)?)?;
    for (name, template) in
        [(ROLES_TEMPLATE, spoke.roles_template()?), (RULES_TEMPLATE, rules_template(&options.event_patterns)?)]
    {
        write_if_changed(&options.out.join(name), template.as_bytes())?;
    }
    let event_patterns = options.event_patterns.clone();
    let manifest = Manifest { architecture: options.architecture, functions, event_patterns, spoke };
    let mut text = serde_json::to_string_pretty(&manifest).map_err(PackageError::Json)?;
    text.push('\n');
    write_if_changed(&options.out.join("manifest.json"), text.as_bytes())?;
    Ok(manifest)
}

struct Entry {
    name: String,
    mode: u32,
    content: Vec<u8>,
}

impl Entry {
    fn read(name: &str, mode: u32, path: &Path) -> Result<Self, PackageError> {
        let content = fs::read(path).map_err(|source| PackageError::Read { path: path.to_owned(), source })?;
        Ok(Self { name: name.to_owned(), mode, content })
    }
}

/// The digest of a zip's inputs and of the zip; lies beside it.
#[derive(Serialize, Deserialize)]
struct Stamp {
    inputs: String,
    sha256_base64: String,
}

fn pack(name: &'static str, bootstrap: Entry, common: &[Entry], out: &Path) -> Result<FunctionZip, PackageError> {
    let zip_name = format!("{name}.zip");
    let zip_path = out.join(&zip_name);
    let stamp_path = out.join(format!(".{name}.stamp"));
    let entries: Vec<&Entry> = std::iter::once(&bootstrap).chain(common).collect();
    let inputs = digest_inputs(&entries);
    let stamped = fs::read(&stamp_path).ok().and_then(|text| serde_json::from_slice::<Stamp>(&text).ok());
    if let Some(stamp) = stamped.filter(|stamp| stamp.inputs == inputs && zip_path.is_file()) {
        return Ok(FunctionZip { zip: zip_name, sha256_base64: stamp.sha256_base64 });
    }
    let bytes = zip_bytes(&entries).map_err(|source| PackageError::Zip { function: name, source })?;
    let sha256_base64 = BASE64.encode(Sha256::digest(&bytes));
    write(&zip_path, &bytes)?;
    let stamp = serde_json::to_vec(&Stamp { inputs, sha256_base64: sha256_base64.clone() }).map_err(PackageError::Json)?;
    write(&stamp_path, &stamp)?;
    Ok(FunctionZip { zip: zip_name, sha256_base64 })
}

fn write(path: &Path, content: &[u8]) -> Result<(), PackageError> {
    fs::write(path, content).map_err(|source| PackageError::Write { path: path.to_owned(), source })
}

/// Writes only what differs, so that a file's time tells when it last changed.
fn write_if_changed(path: &Path, content: &[u8]) -> Result<(), PackageError> {
    if fs::read(path).is_ok_and(|old| old == content) { Ok(()) } else { write(path, content) }
}

fn digest_inputs(entries: &[&Entry]) -> String {
    let mut digest = Sha256::new();
    digest.update(FORMAT);
    for entry in entries {
        digest.update(format!("{}:{:o}:{}:", entry.name, entry.mode, entry.content.len()));
        digest.update(&entry.content);
    }
    hex::encode(digest.finalize())
}

fn zip_bytes(entries: &[&Entry]) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        // The default time of an entry is fixed: 1980-01-01, the first that the format knows.
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .compression_level(Some(1))
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(entry.mode);
        writer.start_file(entry.name.as_str(), options)?;
        writer.write_all(&entry.content)?;
    }
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn workspace(folder: &Path) -> PackageOptions {
        let build = folder.join("build");
        fs::create_dir_all(&build).unwrap();
        for name in FUNCTIONS {
            fs::write(build.join(name), format!("the {name} executable")).unwrap();
        }
        fs::write(folder.join("cordon.toml"), "mode = \"dry-run\"\n").unwrap();
        PackageOptions {
            bootstraps: PackageOptions::cargo(&build),
            config: folder.join("cordon.toml"),
            rules: "{\"format\":1}\n".to_owned(),
            out: folder.join("out"),
            architecture: Architecture::Arm64,
            event_patterns: vec![serde_json::json!({"detail": {"eventName": ["AttachUserPolicy"]}})],
        }
    }

    #[test]
    fn a_zip_holds_an_executable_bootstrap_the_policy_file_and_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        let options = workspace(folder.path());
        let manifest = package(&options).unwrap();
        assert_eq!(manifest.functions.len(), FUNCTIONS.len());
        let mut archive = zip::ZipArchive::new(fs::File::open(options.out.join("notify.zip")).unwrap()).unwrap();
        let mut names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        names.sort();
        assert_eq!(names, ["bootstrap", "cordon.toml", "rules.json"]);
        let mut bootstrap = archive.by_name("bootstrap").unwrap();
        assert_eq!(bootstrap.unix_mode().unwrap() & 0o777, 0o755);
        let mut text = String::new();
        bootstrap.read_to_string(&mut text).unwrap();
        assert_eq!(text, "the notify executable");
        drop(bootstrap);
        let mut rules = String::new();
        archive.by_name("rules.json").unwrap().read_to_string(&mut rules).unwrap();
        assert_eq!(rules, options.rules);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_and_the_hash_is_of_the_zip() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = package(&workspace(one.path())).unwrap();
        assert_eq!(first, package(&workspace(two.path())).unwrap());
        let bytes = fs::read(one.path().join("out/classify.zip")).unwrap();
        assert_eq!(first.functions["classify"].sha256_base64, BASE64.encode(Sha256::digest(bytes)));
    }

    #[test]
    fn only_what_changed_is_packed_again() {
        let folder = tempfile::tempdir().unwrap();
        let options = workspace(folder.path());
        let first = package(&options).unwrap();
        fs::write(options.out.join("notify.zip"), "left alone").unwrap();
        assert_eq!(package(&options).unwrap(), first);
        assert_eq!(fs::read(options.out.join("notify.zip")).unwrap(), b"left alone");
        fs::write(&options.bootstraps["notify"], "a newer executable").unwrap();
        let second = package(&options).unwrap();
        assert_ne!(second.functions["notify"], first.functions["notify"]);
        assert_eq!(second.functions["classify"], first.functions["classify"]);
        let third = package(&PackageOptions { rules: "{\"format\":2}\n".to_owned(), ..options }).unwrap();
        assert_ne!(third.functions["classify"], second.functions["classify"], "other rules make another package");
    }

    #[test]
    fn every_function_of_the_repository_is_packed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
        let mut found: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("Cargo.toml").is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        found.sort();
        let mut packed = FUNCTIONS;
        packed.sort_unstable();
        assert_eq!(found, packed);
    }

    #[test]
    fn a_missing_executable_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let options = workspace(folder.path());
        fs::remove_file(&options.bootstraps["remediate"]).unwrap();
        let message = package(&options).unwrap_err().to_string();
        assert!(message.starts_with("cannot read `") && message.ends_with("remediate`"), "{message}");
    }

    #[test]
    fn the_manifest_on_disk_is_what_terraform_expects() {
        let folder = tempfile::tempdir().unwrap();
        let options = workspace(folder.path());
        package(&options).unwrap();
        let text = fs::read_to_string(options.out.join("manifest.json")).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["architecture"], "arm64");
        assert_eq!(value["functions"]["slack-callback"]["zip"], "slack-callback.zip");
        assert_eq!(value["event_patterns"][0]["detail"]["eventName"][0], "AttachUserPolicy");
    }
}
