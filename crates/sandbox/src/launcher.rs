//! The Python files under which every program runs, and which change the emulator; see `launcher/guard.py`.

use std::path::{Path, PathBuf};

use crate::error::SandboxError;
use crate::layout;

/// The script that is run.
const SCRIPT: &str = "guard.py";

/// Each file's place beside the script, and its text.
pub(crate) const FILES: [(&str, &str); 13] = [
    (SCRIPT, include_str!("../launcher/guard.py")),
    ("organisation/__init__.py", include_str!("../launcher/organisation/__init__.py")),
    ("organisation/buses.py", include_str!("../launcher/organisation/buses.py")),
    ("organisation/controls.py", include_str!("../launcher/organisation/controls.py")),
    ("organisation/delivery.py", include_str!("../launcher/organisation/delivery.py")),
    ("organisation/membership.py", include_str!("../launcher/organisation/membership.py")),
    ("organisation/pinned.py", include_str!("../launcher/organisation/pinned.py")),
    ("organisation/principals.py", include_str!("../launcher/organisation/principals.py")),
    ("organisation/request_keys.py", include_str!("../launcher/organisation/request_keys.py")),
    ("organisation/resources.py", include_str!("../launcher/organisation/resources.py")),
    ("organisation/scope.py", include_str!("../launcher/organisation/scope.py")),
    ("organisation/trust.py", include_str!("../launcher/organisation/trust.py")),
    ("organisation/voice.py", include_str!("../launcher/organisation/voice.py")),
];

/// Writes the files into a folder, and gives the script's path.
pub(crate) fn install(folder: &Path) -> Result<PathBuf, SandboxError> {
    layout::create_dir(&folder.join("organisation"))?;
    for (place, text) in FILES {
        layout::write_if_changed(&folder.join(place), text.as_bytes())?;
    }
    Ok(folder.join(SCRIPT))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    fn python_files(folder: &Path, prefix: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries
            .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "py"))
            .map(|name| format!("{prefix}{name}"))
            .collect()
    }

    #[test]
    fn every_file_of_the_launcher_is_written_out() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("launcher");
        let mut all = python_files(&source, "");
        all.extend(python_files(&source.join("organisation"), "organisation/"));
        let folder = tempfile::tempdir().unwrap();
        install(folder.path()).unwrap();
        let mut written = python_files(folder.path(), "");
        written.extend(python_files(&folder.path().join("organisation"), "organisation/"));
        assert_eq!(written, all);
    }
}
