//! Format version 1, byte for byte. The files in `golden/` are never edited: if this test fails, journals that exist
//! could no longer be read. A new version gets new files, written with `JOURNAL_GOLDEN=write`.

mod support;

use journal::disk::MemoryDisk;
use journal::reader::Reader;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use support::{OPTIONS, folder, group, open_all, read_all, segment};

/// Lengths of the records of each group; the last crosses into a second segment.
const GROUPS: [&[usize]; 4] = [&[0], &[1, 8, 200], &[61_000, 2900, 13], &[600, 100, 1]];
/// How many segments those groups fill.
const SEGMENTS_COUNT: u64 = 2;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn written() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut appender = open_all(&disk).unwrap().appender;
    for lengths in GROUPS {
        appender.append(&mut group(appender.place(), lengths)).unwrap();
    }
    disk
}

fn file_name(number: u64) -> String {
    format!("version-1-{number:020}.seg")
}

/// The journal as text, from what the reader makes of the bytes.
fn described(reader: &Reader) -> String {
    let mut text = String::from("# seq position bytes chain\n");
    let mut scan = reader.scan_all();
    while let Some(scanned) = scan.next().unwrap() {
        write!(text, "{} {} {} ", scanned.seq, scanned.position, scanned.payload.len()).unwrap();
        for byte in scanned.after.chain {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn offline(disk: &MemoryDisk) -> Reader {
    Reader::offline(Arc::new(disk.clone()), folder(), OPTIONS)
}

#[test]
fn bytes_are_those_of_version_1() {
    let disk = written();
    let text = described(&offline(&disk));
    if std::env::var("JOURNAL_GOLDEN").is_ok_and(|value| value == "write") {
        for number in 0..SEGMENTS_COUNT {
            let path = golden(&file_name(number));
            assert!(!path.exists(), "{} exists and is never edited", path.display());
            std::fs::write(path, disk.contents(&segment(number)).unwrap()).unwrap();
        }
        std::fs::write(golden("version-1.txt"), &text).unwrap();
    }
    for number in 0..SEGMENTS_COUNT {
        let kept = std::fs::read(golden(&file_name(number))).unwrap();
        assert!(disk.contents(&segment(number)).unwrap() == kept, "segment {number} is written otherwise");
    }
    assert_eq!(text, std::fs::read_to_string(golden("version-1.txt")).unwrap());
}

#[test]
fn version_1_is_read() {
    let disk = MemoryDisk::new();
    for number in 0..SEGMENTS_COUNT {
        disk.set_contents(&segment(number), &std::fs::read(golden(&file_name(number))).unwrap());
    }
    assert_eq!(described(&offline(&disk)), std::fs::read_to_string(golden("version-1.txt")).unwrap());
    let lengths: Vec<usize> = read_all(&open_all(&disk).unwrap().reader).iter().map(Vec::len).collect();
    assert_eq!(lengths, GROUPS.concat());
}

/// Proves that the program in `docs/journal-format.md` reads what we write, and refuses what was changed.
#[test]
fn documented_program_reads_version_1() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/journal-format.md");
    let page = std::fs::read_to_string(page).unwrap();
    let program =
        page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program is there");
    let run = |file: &Path| match Command::new("python3").arg("-c").arg(program).arg(file).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("python3 does not start: {error}"),
    };
    let mut text = String::from("# seq position bytes chain\n");
    for number in 0..SEGMENTS_COUNT {
        // Without Python on the machine there is nothing to compare.
        let Some(output) = run(&golden(&file_name(number))) else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        text.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(text, std::fs::read_to_string(golden("version-1.txt")).unwrap());
    let mut bytes = std::fs::read(golden(&file_name(0))).unwrap();
    bytes[128 + 64 + 64 + 3] ^= 1;
    let changed = std::env::temp_dir().join(format!("florin-journal-changed-{}.seg", std::process::id()));
    std::fs::write(&changed, bytes).unwrap();
    let output = run(&changed);
    std::fs::remove_file(&changed).unwrap();
    assert!(output.is_some_and(|output| !output.status.success()), "a changed byte is refused");
}
