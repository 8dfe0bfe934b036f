//! How what is on disk is read again and again, and where copies of the journal are.

use super::typed::Typed;
use super::value::Value;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Bytes read in a second, unless set: an hour for 14 GiB, and less than a hundredth of what a small disk can do.
pub const BYTES_PER_SECOND: u64 = 4 << 20;
/// The most that can be asked for.
pub const BYTES_PER_SECOND_MAX: u64 = 1 << 40;
/// Rest between two passes, unless set.
pub const PAUSE: Duration = Duration::from_secs(3600);
/// The longest that can be asked for.
pub const PAUSE_MAX: Duration = Duration::from_secs(30 * 86_400);

/// How what is on disk is read again and again, and where copies of the journal are.
#[derive(Debug, Clone)]
pub struct ScrubSettings {
    /// Most bytes that are read in a second; 0 for none.
    pub bytes_per_second: u64,
    /// Rest between two passes.
    pub pause: Duration,
    /// The folder of copies of sealed segments, if there is one.
    pub archive: Option<PathBuf>,
}

impl ScrubSettings {
    pub(super) fn resolve(typed: &Typed, problems: &mut Vec<String>) -> ScrubSettings {
        let bytes_per_second = typed.count("scrub.bytes_per_second").unwrap_or(BYTES_PER_SECOND);
        if bytes_per_second > BYTES_PER_SECOND_MAX {
            problems.push(format!("scrub.bytes_per_second: {bytes_per_second} is more than {BYTES_PER_SECOND_MAX}"));
        }
        let pause = match typed.given("scrub.pause").value {
            Value::Duration(pause) => pause,
            _ => PAUSE,
        };
        if pause > PAUSE_MAX {
            problems.push(format!("scrub.pause: expected at most {PAUSE_MAX:?}"));
        }
        let archive = Some(typed.text("archive")).filter(|text| !text.is_empty()).map(PathBuf::from);
        // `./data` and `data` are the same folder.
        let plain = |path: &Path| path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
        let data = plain(Path::new(typed.text("data")));
        if archive.as_ref().is_some_and(|archive| plain(archive).starts_with(&data)) {
            problems.push(
                "archive: it lies in the data folder, and would be lost with it; choose a folder on another disk"
                    .to_owned(),
            );
        }
        ScrubSettings { bytes_per_second, pause, archive }
    }
}
