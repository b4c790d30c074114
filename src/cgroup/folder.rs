//! Where the groups of a process are: lines of `/proc/self/cgroup` and `/proc/self/mountinfo`.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    path::{Component, Path, PathBuf},
};

/// Folders that are looked into for the process, where no path leads to it.
const MOST_FOLDERS: usize = 10_000;

/// Of a hierarchy of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Some controllers.
    One,
    /// All controllers that no hierarchy of version 1 has.
    Two,
}

/// The group of a process in one hierarchy.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// Without a name in version 2.
    controllers: &'a str,
    /// From the root of the cgroup namespace; above it, `/..`.
    path: &'a Path,
}

impl<'a> Group<'a> {
    /// From a line such as `4:memory:/system.slice` or `0::/system.slice`; cgroups(7).
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(3, ':').skip(1);
        Some(Self {
            controllers: fields.next()?,
            path: Path::new(fields.next()?),
        })
    }

    pub(super) fn version(&self) -> Version {
        if self.controllers.is_empty() {
            Version::Two
        } else {
            Version::One
        }
    }

    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.split(',').any(|own| own == controller)
    }
}

/// A place where a hierarchy is mounted, or a part of it.
#[derive(Debug)]
pub(super) struct Mount<'a> {
    /// The group that is seen there, from the root of the cgroup namespace.
    root: PathBuf,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// From a line of `/proc/PID/mountinfo`, proc(5), if it is of control groups.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (place, what) = line.split_once(" - ")?;
        let mut what = what.split(' ');
        let kind = what.next()?;
        if !["cgroup", "cgroup2"].contains(&kind) {
            return None;
        }
        let mut place = place.split(' ').skip(3);
        Some(Self {
            root: unescaped(place.next()?),
            point: unescaped(place.next()?),
            kind,
            options: what.nth(1)?,
        })
    }

    fn has(&self, version: Version, controller: &str) -> bool {
        match version {
            Version::One => {
                self.kind == "cgroup" && self.options.split(',').any(|own| own == controller)
            }
            Version::Two => self.kind == "cgroup2",
        }
    }

    /// The folder of a group.
    fn folder(&self, path: &Path, process: u32) -> Option<PathBuf> {
        let (above_mount, below_mount) = from_namespace(&self.root);
        let (above, below) = from_namespace(path);
        if above_mount > above && below_mount.as_os_str().is_empty() {
            // What is seen begins above the root of the namespace, so parts of the path have no name here.
            let mut left = MOST_FOLDERS;
            let levels = above_mount - above;
            return search(&self.point, levels, &below, process, &mut left);
        }
        match path.strip_prefix(&self.root) {
            Ok(below) if !below.starts_with("..") => Some(self.point.join(below)),
            // A container may see its own group alone, under a name that is not that of the host.
            _ => has_process(&self.point, process).then(|| self.point.clone()),
        }
    }
}

/// The folders of a group and of those above it, as far as they are seen; `None` if its own is not.
pub(super) fn folders(
    group: &Group<'_>,
    controller: &str,
    mounts: &[Mount<'_>],
    process: u32,
) -> Option<Vec<PathBuf>> {
    let mounts = mounts.iter();
    let mounts = mounts.filter(|mount| mount.has(group.version(), controller));
    let seen = mounts.filter_map(|mount| {
        let folder = mount.folder(group.path, process)?;
        let above = folder.ancestors();
        let above = above.take_while(|folder| folder.starts_with(&mount.point));
        folder.is_dir().then(|| above.map(Path::to_owned).collect())
    });
    seen.max_by_key(Vec::len)
}

/// How many levels above the root of the namespace a path begins, and what is behind that.
fn from_namespace(path: &Path) -> (usize, PathBuf) {
    let names = path.components().filter(|name| *name != Component::RootDir);
    let above = names
        .clone()
        .take_while(|name| *name == Component::ParentDir);
    let above = above.count();
    (above, names.skip(above).collect())
}

/// The folder so many levels below another one that has the process, in the group `below` it.
fn search(
    top: &Path,
    levels: usize,
    below: &Path,
    process: u32,
    left: &mut usize,
) -> Option<PathBuf> {
    *left = left.checked_sub(1)?;
    if levels == 0 {
        let folder = top.join(below);
        return has_process(&folder, process).then_some(folder);
    }
    let entries = fs::read_dir(top).ok()?.flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    for folder in folders {
        if let Some(found) = search(&folder.path(), levels - 1, below, process, left) {
            return Some(found);
        }
    }
    None
}

fn has_process(folder: &Path, process: u32) -> bool {
    let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    processes.lines().any(|line| line.parse() == Ok(process))
}

/// A path in which `\040` stands for a space, and other characters likewise.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.first_chunk::<3>().filter(|_| *first == b'\\');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            &behind[3..]
        } else {
            behind
        };
    }
    PathBuf::from(OsString::from_vec(bytes))
}
