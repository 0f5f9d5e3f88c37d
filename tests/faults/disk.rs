//! Disks to be spoilt: a small tmpfs that fills up, and an ext4 file system in a file, which goes
//! read-only under open files as a real one does after an error. Both take the right to mount.

use std::path::{Path, PathBuf};

use crate::server::{run, unmounted};

const SIZE_MB: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Small,
    Ext4,
}

/// Unmounted when dropped.
pub(crate) struct Disk {
    kind: Kind,
    dir: PathBuf,
    image: PathBuf,
}

impl Disk {
    pub(crate) async fn mount(kind: Kind, within: &Path) -> Self {
        let disk = Self { kind, dir: within.join("disk"), image: within.join("image") };
        std::fs::create_dir(&disk.dir).unwrap();
        if kind == Kind::Ext4 {
            let file = std::fs::File::create(&disk.image).unwrap();
            file.set_len(u64::try_from(SIZE_MB << 20).unwrap()).unwrap();
            run("mke2fs", &["-q", "-F", "-t", "ext4", disk.image.to_str().unwrap()]).await;
        }
        disk.attach().await;
        disk
    }

    async fn attach(&self) {
        let dir = self.dir.to_str().unwrap();
        let size = format!("size={SIZE_MB}m");
        let image = self.image.to_str().unwrap();
        match self.kind {
            Kind::Small => run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", dir]).await,
            Kind::Ext4 => run("mount", &["-o", "loop,errors=remount-ro", image, dir]).await,
        };
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Takes all the space that there is.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        while std::io::Write::write_all(&mut file, &[7; 512]).is_ok() {}
    }

    fn filler(&self) -> PathBuf {
        self.dir.join("filler")
    }

    pub(crate) fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    /// The kernel meets an error in the file system, and makes it read-only.
    pub(crate) async fn break_down(&self) {
        run("sync", &["-f", self.dir.to_str().unwrap()]).await;
        let device = run("findmnt", &["-no", "SOURCE", self.dir.to_str().unwrap()]).await;
        let name = device.trim().trim_start_matches("/dev/").to_owned();
        std::fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "test").unwrap();
        let probe = std::fs::File::create(self.dir.join("probe"));
        assert_eq!(probe.unwrap_err().kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    }

    /// As an operator does it, with nobody at work on it.
    pub(crate) async fn repair(&self) {
        unmounted(self.dir.to_str().unwrap()).await;
        run("sh", &["-c", "e2fsck -y \"$0\" || test $? -le 2", self.image.to_str().unwrap()]).await;
        self.attach().await;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server may still be ending.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.dir).status();
    }
}
