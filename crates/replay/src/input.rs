//! Finds the files to read: those that are named, and in folders every file with the name of a log.

use std::fs;
use std::path::{Path, PathBuf};

use crate::unreadable::{Fault, Unreadable};

/// The extensions of logs.
const LOG_NAMES: [&str; 6] = [".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"];
/// CloudTrail's own folder of hashes and signatures beside its logs.
const DIGESTS: &str = "CloudTrail-Digest";

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// The name that is reported: the path, or `-`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// All inputs of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// In the order in which they are read and reported.
    pub sources: Vec<Source>,
    /// The size of all files on the disk, in bytes.
    pub bytes: u64,
    /// The number of files in digest folders, which hold no events and are not read.
    pub digests: u64,
    /// Paths that do not exist or cannot be read.
    pub missing: Vec<Unreadable>,
}

impl Inputs {
    /// Finds the inputs at these paths; `-` is standard input. A path that is named twice is read twice.
    #[must_use]
    pub fn find(paths: &[PathBuf]) -> Self {
        let mut inputs = Self::default();
        for path in paths {
            if path.as_os_str() == "-" {
                inputs.sources.push(Source::Stdin);
                continue;
            }
            match fs::metadata(path) {
                Ok(found) if found.is_dir() => inputs.look_into(path),
                Ok(found) => inputs.add(path.clone(), found.len()),
                Err(error) => inputs.miss(path, &error),
            }
        }
        inputs
    }

    fn add(&mut self, path: PathBuf, len: u64) {
        self.sources.push(Source::File(path));
        self.bytes += len;
    }

    fn miss(&mut self, path: &Path, error: &std::io::Error) {
        let fault = match error.kind() {
            std::io::ErrorKind::NotFound => Fault::NotFound,
            _ => Fault::CannotOpen(error.to_string()),
        };
        self.missing.push(Unreadable { file: path.display().to_string(), place: None, fault });
    }

    /// Adds the logs below a folder, in the order of their names. A link to a folder is not followed: it could lead back here.
    fn look_into(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.miss(folder, &error),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            match fs::metadata(&path) {
                Ok(found) if found.is_dir() => {
                    if !link {
                        self.look_into(&path);
                    }
                }
                Ok(found) if is_log(&path) => {
                    if path.components().any(|part| part.as_os_str() == DIGESTS) {
                        self.digests += 1;
                    } else {
                        self.add(path, found.len());
                    }
                }
                Ok(_) => {}
                Err(error) => self.miss(&path, &error),
            }
        }
    }
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    LOG_NAMES.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_their_logs_in_order_and_named_files_are_taken_whatever_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in [
            "AWSLogs/1/CloudTrail/b.json.gz",
            "AWSLogs/1/CloudTrail/a.JSON.GZ",
            "AWSLogs/1/CloudTrail/readme.txt",
            "AWSLogs/1/CloudTrail-Digest/d.json.gz",
            "lines.jsonl",
            "events.log",
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "12345").unwrap();
        }
        let inputs = Inputs::find(&[root.join("events.log"), "-".into(), root.to_owned(), root.join("none")]);
        let names: Vec<String> =
            inputs.sources.iter().map(|source| source.name().replace(&root.display().to_string(), "")).collect();
        assert_eq!(
            names,
            ["/events.log", "-", "/AWSLogs/1/CloudTrail/a.JSON.GZ", "/AWSLogs/1/CloudTrail/b.json.gz", "/lines.jsonl"]
        );
        assert_eq!((inputs.bytes, inputs.digests, inputs.missing.len()), (20, 1, 1));
        assert!(inputs.missing[0].to_string().ends_with("/none: there is no such file or folder"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_back_to_the_folder_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("broken.json")).unwrap();
        let inputs = Inputs::find(&[folder.path().to_owned()]);
        assert_eq!((inputs.sources.len(), inputs.missing.len()), (0, 1));
    }
}
