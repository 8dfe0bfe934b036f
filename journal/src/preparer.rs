//! Makes segments ahead of the appender: zero-filled, synced, under their final name.
//!
//! Appending into a file that is already full of zeros costs half of what growing a file costs, because the file system
//! has nothing to record. So a thread of low priority fills segments before they are needed.

use crate::block::AlignedBytes;
use crate::disk::{Access, Disk, File};
use crate::segment;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Segments that lie ready beyond the one in use.
const AHEAD: u64 = 2;
/// Bytes of one write while filling.
const FILL_BYTES: usize = 1 << 20;
/// The nice value of the filling thread.
#[cfg(target_os = "linux")]
const PRIORITY: i32 = 5;

/// Hands out empty segments in order.
pub(crate) struct Preparer {
    shop: Arc<Shop>,
    /// Absent when segments are made on the caller's thread.
    thread: Option<JoinHandle<()>>,
}

struct Shop {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    segment_bytes: u64,
    order: Mutex<Order>,
    changed: Condvar,
}

struct Order {
    /// The next segment that the appender will ask for.
    next: u64,
    /// Made and not yet taken, `next` first.
    ready: Vec<Arc<dyn File>>,
    /// Why the last attempt failed. Cleared when the appender asks, so that it gets a fresh answer.
    fault: Option<io::Error>,
    stop: bool,
}

impl Preparer {
    /// Starts making segments from number `next` on. Files of later numbers that exist are taken to be filled with zeros.
    pub(crate) fn start(disk: Arc<dyn Disk>, folder: &Path, segment_bytes: u64, next: u64) -> io::Result<Preparer> {
        let order = Order { next, ready: Vec::new(), fault: None, stop: false };
        let threads = disk.allows_threads();
        let shop = Arc::new(Shop {
            disk,
            folder: folder.to_owned(),
            segment_bytes,
            order: Mutex::new(order),
            changed: Condvar::new(),
        });
        let thread = if threads {
            let shop = shop.clone();
            Some(std::thread::Builder::new().name("journal-preparer".into()).spawn(move || shop.work())?)
        } else {
            None
        };
        Ok(Preparer { shop, thread })
    }

    /// The next segment, opened direct. Waits for it if it is not ready.
    pub(crate) fn take(&self) -> io::Result<Arc<dyn File>> {
        let mut order = self.shop.lock();
        if self.thread.is_none() {
            let file = self.shop.make(order.next)?;
            order.next += 1;
            return Ok(file);
        }
        order.fault = None;
        self.shop.changed.notify_all();
        loop {
            if !order.ready.is_empty() {
                let file = order.ready.remove(0);
                order.next += 1;
                self.shop.changed.notify_all();
                return Ok(file);
            }
            if let Some(fault) = order.fault.take() {
                return Err(fault);
            }
            order = self.shop.changed.wait(order).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.shop.lock().stop = true;
        self.shop.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed; there is nothing left to do for it here.
            let _ = thread.join();
        }
    }
}

impl Shop {
    fn lock(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        lower_priority();
        let mut order = self.lock();
        while !order.stop {
            if order.ready.len() as u64 >= AHEAD || order.fault.is_some() {
                order = self.changed.wait(order).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let number = order.next + order.ready.len() as u64;
            drop(order);
            let made = self.make(number);
            order = self.lock();
            match made {
                Ok(file) => order.ready.push(file),
                Err(error) => order.fault = Some(error),
            }
            self.changed.notify_all();
        }
    }

    fn make(&self, number: u64) -> io::Result<Arc<dyn File>> {
        let path = segment::path(&self.folder, number);
        if self.disk.exists(&path)? {
            return self.disk.open(&path, Access::Direct);
        }
        let new = segment::new_path(&self.folder, number);
        match self.fill(&new) {
            Ok(()) => {}
            Err(error) => {
                // Gives back the room a failed attempt took. If this fails too, opening removes the file.
                let _ = self.disk.remove(&new);
                return Err(error);
            }
        }
        self.disk.rename(&new, &path)?;
        self.disk.open(&path, Access::Direct)
    }

    fn fill(&self, path: &Path) -> io::Result<()> {
        drop(self.disk.open(path, Access::Create)?);
        let file = self.disk.open(path, Access::Direct)?;
        file.set_len(0)?;
        let zeros = AlignedBytes::new(FILL_BYTES.min(self.segment_bytes as usize));
        let mut offset = 0;
        while offset < self.segment_bytes {
            if self.lock_stop() {
                return Err(io::Error::from(io::ErrorKind::Interrupted));
            }
            let count = (self.segment_bytes - offset).min(zeros.len() as u64);
            file.write_at(&zeros[..count as usize], offset)?;
            offset += count;
        }
        file.sync()
    }

    /// True when the owner is gone. The caller's own thread holds the lock and never stops half-way.
    fn lock_stop(&self) -> bool {
        self.order.try_lock().is_ok_and(|order| order.stop)
    }
}

/// A little below those who answer, and no lower: filling waits for the disk and needs hardly any processor, but on a
/// busy machine a thread of the lowest priority does not get even that, and then appends wait for it by the second.
#[cfg(target_os = "linux")]
fn lower_priority() {
    // On Linux this is the priority of the calling thread alone. Being refused costs speed, nothing else.
    let _ = rustix::process::setpriority_process(None, PRIORITY);
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
