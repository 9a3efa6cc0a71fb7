//! `cordon.toml` and the rule files, read from a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cordon_core::Config;
use cordon_core::config::{ConfigError, ConfigFile};
use cordon_detect::RuleSource;

/// A policy file or a folder of rules that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The policy was read and cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A folder without a single rule file, which would detect nothing.
    #[error("`{}` has no rule files; name the folder that holds the `.yml` files", folder.display())]
    NoRules {
        /// The folder.
        folder: PathBuf,
    },
}

impl ReadError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Reads and checks a policy file. The rules that it names are not known here: see [`crate::Bundle`].
///
/// # Errors
/// [`ReadError::Io`], and [`ReadError::Config`] with every fault of the file.
pub fn read_config(file: &Path) -> Result<Config, ReadError> {
    Ok(read_config_file(file)?.finish()?)
}

/// Reads a policy file with everything that is wrong in it, for [`crate::Bundle::of`].
///
/// # Errors
/// [`ReadError::Io`].
pub fn read_config_file(file: &Path) -> Result<ConfigFile, ReadError> {
    let text = fs::read_to_string(file).map_err(ReadError::io(file))?;
    Ok(ConfigFile::read(&file.display().to_string(), &text))
}

/// Reads every `.yml` and `.yaml` file below a folder, in the order of their paths. A path begins with the folder's own name, so
/// that it is the same wherever the folder lies.
///
/// # Errors
/// [`ReadError::Io`], and [`ReadError::NoRules`] where there is no such file.
pub fn read_rules(folder: &Path) -> Result<Vec<RuleSource>, ReadError> {
    let mut sources = Vec::new();
    collect(folder, folder, &mut sources)?;
    if sources.is_empty() {
        return Err(ReadError::NoRules { folder: folder.to_owned() });
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<RuleSource>) -> Result<(), ReadError> {
    for entry in fs::read_dir(folder).map_err(ReadError::io(folder))? {
        let path = entry.map_err(ReadError::io(folder))?.path();
        if path.is_dir() {
            collect(root, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            let text = fs::read_to_string(&path).map_err(ReadError::io(&path))?;
            let shown = path.strip_prefix(root.parent().unwrap_or(root)).unwrap_or(&path);
            sources.push(RuleSource::new(shown.display().to_string(), text));
        }
    }
    Ok(())
}
