//! A folder with a configuration.

use std::path::{Path, PathBuf};

use super::testing::TemporaryFolder;

/// Inputs that leave no pause worth mentioning.
pub const QUICK: &str = "{ session_pause: 10ms, first_message_delay: 10ms, reply_delay: 10ms }";

/// The shipped scenario.
pub const SCENARIO: &str = "contact-center-chat";

/// A file of the shipped configuration.
pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(path)
}

/// Copies the shipped scenarios to where the shipped configuration looks for them.
pub fn write_scenarios(folder: &Folder) {
    for file in std::fs::read_dir(shipped("scenarios")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        folder.write(&format!("scenarios/{name}"), &text);
    }
}

/// Deleted with the end of the test.
pub struct Folder(TemporaryFolder);

impl Folder {
    pub fn new() -> Self {
        Self(TemporaryFolder::new())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path as an argument of a command.
    pub fn argument(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}
