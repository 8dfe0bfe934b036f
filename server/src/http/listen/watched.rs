//! What a connection does, as seen from beside it: when bytes last moved, whether an answer waits to be taken, whether a request is
//! being answered.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What is known of a connection. Written by its own task, read by the one that watches it, which is the same.
#[derive(Debug)]
pub struct Signs {
    opened: Instant,
    /// Microseconds from `opened` until bytes last moved.
    moved_at: AtomicU64,
    /// Bytes that the client has taken.
    taken: AtomicU64,
    /// Whether the client has not taken all that is there for it.
    is_blocked: AtomicBool,
    /// Whether a request is being read to its end or answered. Between that and the last byte of an answer it is not.
    is_busy: AtomicBool,
}

impl Signs {
    /// Of a connection that was opened now.
    pub fn new() -> Signs {
        Signs {
            opened: Instant::now(),
            moved_at: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            is_blocked: AtomicBool::new(false),
            is_busy: AtomicBool::new(false),
        }
    }

    /// Marks the time that a request is worked on, until the mark is dropped.
    pub fn busy(self: &Arc<Signs>) -> Busy {
        self.is_busy.store(true, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Whether nothing has happened for so long, and nothing is being worked on.
    pub fn is_quiet(&self, duration: Duration) -> bool {
        let moved_at = Duration::from_micros(self.moved_at.load(Ordering::Relaxed));
        !self.is_busy.load(Ordering::Relaxed) && self.opened.elapsed().saturating_sub(moved_at) >= duration
    }

    /// Bytes that the client has taken, if it has not taken all.
    pub fn taken_so_far(&self) -> Option<u64> {
        self.is_blocked.load(Ordering::Relaxed).then(|| self.taken.load(Ordering::Relaxed))
    }

    fn moved(&self) {
        self.moved_at.store(self.opened.elapsed().as_micros() as u64, Ordering::Relaxed);
    }

    fn wrote(&self, wrote: &Poll<Result<usize>>) {
        self.is_blocked.store(wrote.is_pending(), Ordering::Relaxed);
        if let Poll::Ready(Ok(count)) = wrote {
            self.taken.fetch_add(*count as u64, Ordering::Relaxed);
            self.moved();
        }
    }
}

/// A request is being worked on as long as this is there.
#[derive(Debug)]
pub struct Busy(Arc<Signs>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.moved();
        self.0.is_busy.store(false, Ordering::Relaxed);
    }
}

/// A stream that leaves signs.
#[derive(Debug)]
pub struct Watched {
    stream: TcpStream,
    signs: Arc<Signs>,
}

impl Watched {
    /// Over a stream.
    pub const fn new(stream: TcpStream, signs: Arc<Signs>) -> Watched {
        Watched { stream, signs }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.signs.moved();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.signs.wrote(&wrote);
        wrote
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.signs.wrote(&wrote);
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
