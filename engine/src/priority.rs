//! Priorities of the threads that follow the writer: they must keep up in the long run, and never hold up an answer.

/// Priority of threads that write what is derived, in the system's terms: higher numbers give way.
pub const FOLLOWER: i32 = 10;

/// Lowers the priority of the calling thread. Where that is not allowed or not possible, nothing happens.
pub fn lower(nice: i32) {
    #[cfg(target_os = "linux")]
    // On Linux this is about the calling thread, not the process.
    let _ = rustix::process::setpriority_process(None, nice);
    #[cfg(not(target_os = "linux"))]
    let _ = nice;
}
