//! SHA-256 of two messages at once, on processors with the SHA extensions.
//!
//! A round waits four cycles for the round before it, and a processor could begin another one every second cycle. So two hashes in
//! step take hardly longer than one; the order of instructions is the one that Intel gives for its extensions ("Intel SHA Extensions",
//! 2013), with every line done for both. FIPS 180-4, 6.2.2, has the algorithm.

use super::{BLOCK_BYTES, Hash, Message, START};
use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi64, _mm_set_epi32, _mm_set_epi64x, _mm_setzero_si128,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
    _mm_unpackhi_epi64, _mm_unpacklo_epi64,
};

/// Messages at once.
const LANES: usize = 2;
/// Rounds that one step makes: as many as words fit into a register.
const STEP_ROUNDS: usize = 4;

/// What is added in each round: FIPS 180-4, 4.2.2.
const ROUND_CONSTANTS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
];

/// The hashes of two padded messages. `None` when the processor cannot.
pub fn hash(messages: &[Message; LANES]) -> Option<[Hash; LANES]> {
    if !(is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3")) {
        return None;
    }
    #[allow(unsafe_code, reason = "only whoever has asked the processor may call what needs its extensions")]
    // SAFETY: the processor has just said that it has what the function needs; that is all it asks for.
    Some(unsafe { hash_with_extensions(messages) })
}

/// The state of one message, in the order that the instructions want: the words a, b, e, f of it, and c, d, g, h.
#[derive(Clone, Copy)]
struct State {
    abef: __m128i,
    cdgh: __m128i,
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn hash_with_extensions(messages: &[Message; LANES]) -> [Hash; LANES] {
    let [a, b, c, d, e, f, g, h] = START.map(u32::cast_signed);
    let mut states = [State { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }; LANES];
    for block in 0..messages[0].len() / BLOCK_BYTES {
        compress(&mut states, messages, block);
    }
    // No closure: what is not compiled for the extensions could not be put into this function.
    let [first, second] = &states;
    [hash_of(first), hash_of(second)]
}

/// Takes one block of each message.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress(states: &mut [State; LANES], messages: &[Message; LANES], block: usize) {
    let before = *states;
    // The last sixteen words of the schedule, oldest first.
    let mut words = [[_mm_setzero_si128(); 4]; LANES];
    for (step, constants) in ROUND_CONSTANTS.as_chunks::<STEP_ROUNDS>().0.iter().enumerate() {
        let [k0, k1, k2, k3] = constants.map(u32::cast_signed);
        let constants = _mm_set_epi32(k3, k2, k1, k0);
        for lane in 0..LANES {
            let [w0, w1, w2, w3] = words[lane];
            let next = if step < 4 {
                read(&messages[lane], block * BLOCK_BYTES + step * 16)
            } else {
                let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
                _mm_sha256msg2_epu32(sum, w3)
            };
            words[lane] = [w1, w2, w3, next];
            let sum = _mm_add_epi32(next, constants);
            let state = &mut states[lane];
            state.cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, sum);
            state.abef = _mm_sha256rnds2_epu32(state.abef, state.cdgh, _mm_shuffle_epi32::<0x0e>(sum));
        }
    }
    for (state, before) in states.iter_mut().zip(before) {
        state.abef = _mm_add_epi32(state.abef, before.abef);
        state.cdgh = _mm_add_epi32(state.cdgh, before.cdgh);
    }
}

/// Four words of a message, which stand there with the most significant byte first.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn read(message: &Message, at: usize) -> __m128i {
    let half = |at: usize| i64::from_le_bytes(message[at..at + 8].try_into().expect("a slice of 8 bytes"));
    let swapped = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm_shuffle_epi8(_mm_set_epi64x(half(at + 8), half(at)), swapped)
}

/// The words of a state from a to h, each with the most significant byte first.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn hash_of(state: &State) -> Hash {
    let reversed = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    let front = _mm_shuffle_epi8(_mm_unpackhi_epi64(state.cdgh, state.abef), reversed);
    let back = _mm_shuffle_epi8(_mm_unpacklo_epi64(state.cdgh, state.abef), reversed);
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&_mm_extract_epi64::<0>(front).to_le_bytes());
    hash[8..16].copy_from_slice(&_mm_extract_epi64::<1>(front).to_le_bytes());
    hash[16..24].copy_from_slice(&_mm_extract_epi64::<0>(back).to_le_bytes());
    hash[24..].copy_from_slice(&_mm_extract_epi64::<1>(back).to_le_bytes());
    hash
}
