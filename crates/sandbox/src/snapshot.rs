//! The emulator's state as Terraform left it, kept so that a later start loads it and applies nothing.
//!
//! A snapshot is the folder `target/sandbox/snapshots/<label>`: `state/` as the emulator wrote it, and `snapshot.json` with the key
//! of everything that the deployments depend on, the ports that the state mentions, Terraform's outputs, and a digest of every
//! file. It is taken before the Slack secret is written and before the first event, so it holds nothing of a run. It appears whole,
//! by a rename, and is never loaded with another key or with a file that differs from its digest.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::layout::Layout;

const MANIFEST: &str = "snapshot.json";
const STATE: &str = "state";
/// The names under which the emulator writes its own address and ours.
const HOSTS: [&str; 2] = ["127.0.0.1", "localhost"];

/// Terraform's outputs by name, for each stack by name.
pub(crate) type StackOutputs = BTreeMap<String, BTreeMap<String, Value>>;

/// The ports of one run on 127.0.0.1. A state mentions both: in addresses of queues and of the API, and in the functions'
/// environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub emulator: u16,
    /// Of the page and the Slack stand-in.
    pub page: u16,
}

/// `snapshot.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    key: String,
    ports: Ports,
    outputs: StackOutputs,
    /// SHA-256 in hexadecimal digits of each file below `state/`, by its path from there.
    files: BTreeMap<String, String>,
}

/// Why a snapshot cannot be used or was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("cannot read or write `{}`", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{}` cannot be read as a snapshot's description", .path.display())]
    Manifest {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("`{file}` is not the file that was kept")]
    Changed { file: String },
}

/// The snapshot that was looked for.
#[derive(Debug)]
pub(crate) enum Found {
    /// The state was copied to where the emulator loads it.
    Loaded(StackOutputs),
    /// Something that the deployments depend on has changed since.
    OtherKey,
    Nothing,
}

/// The place of a label's one snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    folder: PathBuf,
}

impl Snapshot {
    pub fn of(layout: &Layout, label: &str) -> Self {
        Self { folder: layout.shared.join("snapshots").join(label) }
    }

    /// Copies the state of `key` to `into`, with this run's ports in place of the ones that it was made with.
    ///
    /// # Errors
    /// [`SnapshotError`] if it is not as it was kept; `into` may then hold a part of it.
    pub fn load(&self, key: &str, ports: Ports, into: &Path) -> Result<Found, SnapshotError> {
        let path = self.folder.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(source) => return Err(SnapshotError::Io { path, source }),
        };
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|source| SnapshotError::Manifest { path: path.clone(), source })?;
        if manifest.key != key {
            return Ok(Found::OtherKey);
        }
        for (file, digest) in &manifest.files {
            let content = read(&self.folder.join(STATE).join(file))?;
            if hex::encode(Sha256::digest(&content)) != *digest {
                return Err(SnapshotError::Changed { file: file.clone() });
            }
            let content = match String::from_utf8(content) {
                Ok(text) => with_ports(&text, manifest.ports, ports).into_bytes(),
                // The functions' zips.
                Err(error) => error.into_bytes(),
            };
            write(&into.join(file), &content)?;
        }
        let outputs = serde_json::to_string(&manifest.outputs)
            .and_then(|text| serde_json::from_str(&with_ports(&text, manifest.ports, ports)))
            .map_err(|source| SnapshotError::Manifest { path, source })?;
        Ok(Found::Loaded(outputs))
    }

    /// Keeps what the emulator wrote to `state`, in place of an older snapshot.
    ///
    /// # Errors
    /// [`SnapshotError::Io`] or [`SnapshotError::Manifest`]; an older snapshot may then be gone.
    pub fn keep(&self, key: &str, ports: Ports, outputs: StackOutputs, state: &Path) -> Result<(), SnapshotError> {
        let unfinished = self.folder.with_extension("unfinished");
        remove(&unfinished)?;
        let mut files = BTreeMap::new();
        for path in files_below(state)? {
            let content = read(&path)?;
            let file = path.strip_prefix(state).unwrap_or(&path).to_string_lossy().into_owned();
            write(&unfinished.join(STATE).join(&file), &content)?;
            files.insert(file, hex::encode(Sha256::digest(&content)));
        }
        let path = unfinished.join(MANIFEST);
        let manifest = serde_json::to_vec_pretty(&Manifest { key: key.to_owned(), ports, outputs, files })
            .map_err(|source| SnapshotError::Manifest { path: path.clone(), source })?;
        write(&path, &manifest)?;
        self.discard()?;
        fs::rename(&unfinished, &self.folder).map_err(failed(&self.folder))
    }

    /// # Errors
    /// [`SnapshotError::Io`] if it cannot be removed.
    pub fn discard(&self) -> Result<(), SnapshotError> {
        remove(&self.folder)
    }
}

/// A digest over parts in their order. Each part's length is part of it, so no two lists give the same text.
#[derive(Debug)]
pub(crate) struct Key(Sha256);

impl Key {
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    pub fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update(part.len().to_le_bytes());
        self.0.update(part);
    }

    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The text with other ports behind this machine's names.
fn with_ports(text: &str, old: Ports, new: Ports) -> String {
    let mut parts = text.split(':');
    let mut before = parts.next().unwrap_or_default();
    let mut changed = String::with_capacity(text.len());
    changed.push_str(before);
    for part in parts {
        changed.push(':');
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let digits = part.strip_suffix(rest).unwrap_or_default();
        let is_here = HOSTS.iter().any(|host| before.ends_with(host));
        match digits.parse::<u16>() {
            Ok(port) if is_here && port == old.emulator => changed.push_str(&new.emulator.to_string()),
            Ok(port) if is_here && port == old.page => changed.push_str(&new.page.to_string()),
            _ => changed.push_str(digits),
        }
        changed.push_str(rest);
        before = part;
    }
    changed
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> SnapshotError {
    let path = path.to_owned();
    move |source| SnapshotError::Io { path, source }
}

fn read(path: &Path) -> Result<Vec<u8>, SnapshotError> {
    fs::read(path).map_err(failed(path))
}

fn write(path: &Path, content: &[u8]) -> Result<(), SnapshotError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    fs::write(path, content).map_err(failed(path))
}

fn remove(folder: &Path) -> Result<(), SnapshotError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(SnapshotError::Io { path: folder.to_owned(), source: error }),
        _ => Ok(()),
    }
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let mut open = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).map_err(failed(&next))? {
            let path = entry.map_err(failed(&next))?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIRST: Ports = Ports { emulator: 41_000, page: 4_100 };
    const LATER: Ports = Ports { emulator: 4_100, page: 52_000 };

    /// A kept state, the snapshot of it, and the folder that a later start loads it into.
    struct Kept {
        folder: tempfile::TempDir,
        snapshot: Snapshot,
        into: PathBuf,
    }

    impl Kept {
        fn load(&self, key: &str) -> Result<Found, SnapshotError> {
            self.snapshot.load(key, LATER, &self.into)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.snapshot.folder.join(name)
        }
    }

    fn kept() -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path().to_owned(), folder.path().join("target"), "one").unwrap();
        let state = folder.path().join("state");
        fs::create_dir_all(state.join("blobs")).unwrap();
        fs::write(state.join("sqs.json"), r#"{"url":"http://localhost:41000/1/q","page":"http://127.0.0.1:4100"}"#).unwrap();
        fs::write(state.join("blobs/zip"), [0_u8, 255, 254]).unwrap();
        let snapshot = Snapshot::of(&layout, "one");
        let outputs = BTreeMap::from([(
            "cordon".to_owned(),
            BTreeMap::from([("callback_url".to_owned(), json!("http://a.execute-api.localhost:41000/slack"))]),
        )]);
        snapshot.keep("key", FIRST, outputs, &state).unwrap();
        let into = folder.path().join("into");
        Kept { folder, snapshot, into }
    }

    #[test]
    fn a_later_start_gets_the_state_and_the_outputs_with_its_own_ports() {
        let kept = kept();
        let Found::Loaded(outputs) = kept.load("key").unwrap() else { panic!("nothing was loaded") };
        assert_eq!(outputs["cordon"]["callback_url"], "http://a.execute-api.localhost:4100/slack");
        let queues = fs::read_to_string(kept.into.join("sqs.json")).unwrap();
        assert_eq!(queues, r#"{"url":"http://localhost:4100/1/q","page":"http://127.0.0.1:52000"}"#);
        assert_eq!(fs::read(kept.into.join("blobs/zip")).unwrap(), [0, 255, 254]);
    }

    #[test]
    fn only_ports_behind_this_machines_names_are_replaced() {
        let rows = [
            ("localhost:410001 and localhost:41", "localhost:410001 and localhost:41"),
            ("arn:aws:sns:us-east-1:41000:t", "arn:aws:sns:us-east-1:41000:t"),
            ("127.0.0.1:41000", "127.0.0.1:4100"),
            ("127.0.0.1:4100:41000", "127.0.0.1:52000:41000"),
        ];
        for (text, wanted) in rows {
            assert_eq!(with_ports(text, FIRST, LATER), wanted);
        }
    }

    #[test]
    fn another_key_or_no_snapshot_loads_nothing() {
        let kept = kept();
        assert!(matches!(kept.load("another").unwrap(), Found::OtherKey));
        assert!(!kept.into.exists());
        kept.snapshot.discard().unwrap();
        assert!(matches!(kept.load("key").unwrap(), Found::Nothing));
        kept.snapshot.discard().unwrap();
    }

    #[test]
    fn a_file_that_was_changed_cut_or_lost_is_noticed() {
        let broken: [fn(&Kept); 4] = [
            |kept| fs::write(kept.file("state/blobs/zip"), [0_u8, 255]).unwrap(),
            |kept| fs::remove_file(kept.file("state/sqs.json")).unwrap(),
            |kept| fs::write(kept.file(MANIFEST), "{\"key\":\"key\"").unwrap(),
            |kept| fs::remove_dir_all(kept.file(STATE)).unwrap(),
        ];
        for (index, damage) in broken.iter().enumerate() {
            let kept = kept();
            damage(&kept);
            assert!(kept.load("key").is_err(), "{index}");
        }
    }

    #[test]
    fn what_was_never_finished_is_not_taken_for_a_snapshot_and_is_replaced() {
        let kept = kept();
        fs::rename(&kept.snapshot.folder, kept.snapshot.folder.with_extension("unfinished")).unwrap();
        assert!(matches!(kept.load("key").unwrap(), Found::Nothing));
        kept.snapshot.keep("key", FIRST, StackOutputs::new(), &kept.folder.path().join("state")).unwrap();
        assert!(matches!(kept.load("key").unwrap(), Found::Loaded(_)));
    }

    #[test]
    fn a_key_depends_on_where_a_part_ends() {
        let key = |parts: &[&str]| {
            let mut key = Key::new();
            parts.iter().for_each(|part| key.add(part));
            key.finish()
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
    }
}
