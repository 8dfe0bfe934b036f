//! An array in chunks that a clone shares until one of the two changes them.
//!
//! A growing `Vec` copies itself when it doubles, which takes a writer tens of milliseconds once it is large; a chunked
//! array only adds a chunk. Cloning copies the list of chunks, and later one chunk at a time as they are written to: that
//! is how a checkpoint of millions of balances is taken without stopping the writer.

use std::sync::Arc;

/// Elements of one chunk. Small, because the first write to a chunk after a clone copies it.
const CHUNK: usize = 64;
/// Chunks that one inner list holds, so that the list of lists stays short.
const LIST: usize = 4096;

/// A growable array with cheap clones.
#[derive(Debug)]
pub struct Chunked<T> {
    lists: Vec<Vec<Arc<Vec<T>>>>,
    len: usize,
}

impl<T> Clone for Chunked<T> {
    fn clone(&self) -> Self {
        Chunked { lists: self.lists.clone(), len: self.len }
    }
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Chunked { lists: Vec::new(), len: 0 }
    }
}

impl<T> Chunked<T> {
    /// How many elements there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The element at an index, if there is one.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.lists.get(index / CHUNK / LIST)?.get(index / CHUNK % LIST)?.get(index % CHUNK)
    }

    /// All elements in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.lists.iter().flatten().flat_map(|chunk| chunk.iter())
    }
}

impl<T: Clone> Chunked<T> {
    /// The element at an index, to change it.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let chunk = self.lists.get_mut(index / CHUNK / LIST)?.get_mut(index / CHUNK % LIST)?;
        Arc::make_mut(chunk).get_mut(index % CHUNK)
    }

    /// Adds an element at the end.
    pub fn push(&mut self, element: T) {
        if self.len.is_multiple_of(CHUNK * LIST) {
            self.lists.push(Vec::with_capacity(LIST));
        }
        let list = self.lists.last_mut().expect("a list was just added when there was none with room");
        if self.len.is_multiple_of(CHUNK) {
            list.push(Arc::new(Vec::with_capacity(CHUNK)));
        }
        let chunk = Arc::make_mut(list.last_mut().expect("a chunk was just added when there was none with room"));
        if chunk.capacity() < CHUNK {
            chunk.reserve_exact(CHUNK - chunk.len());
        }
        chunk.push(element);
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_it_saw() {
        let mut array = Chunked::default();
        for i in 0..1000 {
            array.push(i);
        }
        let before = array.clone();
        *array.get_mut(70).expect("there are a thousand") = -1;
        array.push(1000);
        assert_eq!(before.iter().copied().collect::<Vec<_>>(), (0..1000).collect::<Vec<_>>());
        assert_eq!(
            (array.len(), array.get(70), array.get(1000), array.get(1001)),
            (1001, Some(&-1), Some(&1000), None)
        );
    }

    #[test]
    fn lists_follow_each_other() {
        let mut array = Chunked::default();
        let count = CHUNK * LIST + CHUNK + 1;
        for i in 0..count {
            array.push(i);
        }
        assert!((0..count).all(|i| array.get(i) == Some(&i)));
        assert_eq!(array.iter().next_back(), Some(&(count - 1)));
    }
}
