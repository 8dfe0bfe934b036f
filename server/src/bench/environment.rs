//! Where a result was measured: a number without its machine, disk and settings says nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::BenchFault;
use super::body;
use super::exchange::Exchange;
use super::plan::Plan;
use super::process::absolute;
use super::setup::ask;

/// Machine, disk and server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Environment {
    pub bench_version: &'static str,
    pub kernel: String,
    pub processor: String,
    pub cores: usize,
    pub memory_bytes: u64,
    /// Address of the server.
    pub url: String,
    /// Answer to `GET /health`.
    pub health: Option<Value>,
    /// Answer to `GET /internal/info`, for servers that have it.
    pub info: Option<Value>,
    /// How the server makes its answers durable, if it says so.
    pub sync: Option<String>,
    /// File system below the data folder.
    pub file_system: Option<FileSystem>,
}

/// One line of `/proc/mounts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct FileSystem {
    pub device: String,
    pub mount: String,
    pub kind: String,
    pub options: String,
}

/// Asks the system and the server. What is not known stays empty; only a server that does not answer at all is a fault.
pub(super) fn describe(exchange: &mut Exchange, plan: &Plan, data: Option<&Path>) -> Result<Environment, BenchFault> {
    let mut get = |step: &'static str, path: &str| -> Result<Option<Value>, BenchFault> {
        let (status, body) = ask(exchange, step, &body::request(&plan.target, "GET", path, ""))?;
        Ok(serde_json::from_slice(&body).ok().filter(|_| status == 200))
    };
    let health = get("asking for the server's health", "/health")?;
    let info = get("asking for the server's settings", "/internal/info")?;
    let sync = [&info, &health].into_iter().flatten().find_map(|answer| Some(answer.get("sync")?.as_str()?.to_owned()));
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mounts = read("/proc/mounts");
    Ok(Environment {
        bench_version: env!("CARGO_PKG_VERSION"),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        processor: labelled(&read("/proc/cpuinfo"), "model name").unwrap_or_default().to_owned(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_bytes: labelled(&read("/proc/meminfo"), "MemTotal")
            .and_then(|text| text.strip_suffix("kB")?.trim().parse::<u64>().ok())
            .unwrap_or(0)
            * 1024,
        url: format!("http://{}{}", plan.target.host, plan.target.prefix),
        health,
        info,
        sync,
        file_system: data.and_then(|folder| file_system(&mounts, &absolute(folder))),
    })
}

fn labelled<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(label))?;
    Some(line.split_once(':')?.1.trim())
}

/// The mount that a folder is on: the longest one that it lies below, the last one of those.
fn file_system(mounts: &str, folder: &Path) -> Option<FileSystem> {
    let mount = |line: &str| {
        let mut fields = line.split(' ').map(str::to_owned);
        let (device, mount, kind, options) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        folder.starts_with(&mount).then_some(FileSystem { device, mount, kind, options })
    };
    mounts.lines().filter_map(mount).max_by_key(|found| found.mount.len())
}

/// Bytes that the files of a folder occupy on the disk, which counts preallocated space and not the holes.
pub(super) fn folder_bytes(folder: &Path) -> Option<u64> {
    let mut bytes = 0;
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        // Files come and go while a server runs.
        for entry in fs::read_dir(&folder).ok()?.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            bytes += metadata.blocks() * 512;
            if metadata.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_on_its_innermost_mount() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw,size=1g 0 0\n/dev/vdb /tmp/disk xfs rw 0 0\n";
        let device = |folder: &str| file_system(mounts, Path::new(folder)).map(|found| found.device);
        assert_eq!(device("/tmp/disk/data").as_deref(), Some("/dev/vdb"));
        assert_eq!(device("/tmp/diskette").as_deref(), Some("tmpfs"));
        assert_eq!(device("/home").as_deref(), Some("/dev/vda"));
    }

    #[test]
    fn labels_are_found_at_the_start_of_a_line() {
        assert_eq!(labelled("processor : 0\nmodel name\t: EPYC\n", "model name"), Some("EPYC"));
        assert_eq!(labelled("", "model name"), None);
    }
}
