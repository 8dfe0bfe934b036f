//! Signed notes (c2sp.org/signed-note): a text, an empty line, and lines with signatures. Ed25519 only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// Longest note that is looked at.
pub const NOTE_BYTES_MAX: usize = 64 << 10;
/// Most signatures of a note that are looked at; one with more is refused.
pub const SIGNATURES_MAX: usize = 100;
/// Bytes of the seed of a key, of a public key, and of a hash.
pub const KEY_BYTES: usize = 32;

/// The type of Ed25519 signatures.
const ED25519_TYPE: u8 = 1;
const SIGNATURE: &str = "\u{2014} ";
const PRIVATE: &str = "PRIVATE+KEY+";

/// Why a note or a key is not to be trusted, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteFault {
    /// It is no signed note.
    Note,
    /// Nobody that is trusted has signed it.
    Unsigned,
    /// A signature with the name and the id of the key that is trusted is not by it.
    Forged,
    /// It is no key of the form `name+id+base64`.
    Key,
}

impl fmt::Display for NoteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoteFault::Note => "it is no signed note",
            NoteFault::Unsigned => "it is not signed with the key",
            NoteFault::Forged => "its signature is wrong: it was changed, or not signed by who has the key",
            NoteFault::Key => "it is no key of the form name+id+base64",
        })
    }
}

impl std::error::Error for NoteFault {}

/// Whether a text can be the name of a key.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control())
}

fn id_of(name: &str, public: &[u8; KEY_BYTES]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', ED25519_TYPE]).chain_update(public).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The two last parts of a key as text: the id, and the bytes behind the type.
fn parts(id: &str, encoded: &str) -> Option<([u8; 4], Zeroizing<[u8; KEY_BYTES]>)> {
    let id = u32::from_str_radix(id, 16).ok().filter(|_| id.len() == 8)?;
    let bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let (kind, key) = bytes.split_first()?;
    let key = Zeroizing::new(key.try_into().ok().filter(|_| *kind == ED25519_TYPE)?);
    Some((id.to_be_bytes(), key))
}

/// A public key, and the name it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    /// The name.
    pub name: String,
    id: [u8; 4],
    public: [u8; KEY_BYTES],
}

impl Verifier {
    /// Reads `name+id+base64`.
    pub fn parse(text: &str) -> Result<Verifier, NoteFault> {
        let mut split = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (split.next(), split.next(), split.next()) else {
            return Err(NoteFault::Key);
        };
        let (id, public) = parts(id, encoded).ok_or(NoteFault::Key)?;
        if !is_name(name) || id != id_of(name, &public) {
            return Err(NoteFault::Key);
        }
        Ok(Verifier { name: name.to_owned(), id, public: *public })
    }

    /// The text of a note that this key has signed.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteFault> {
        let is_text = |c: char| c == '\n' || c >= ' ';
        if note.len() > NOTE_BYTES_MAX || !note.chars().all(is_text) {
            return Err(NoteFault::Note);
        }
        let end = note.rfind("\n\n").ok_or(NoteFault::Note)?;
        let (text, lines) = (&note[..end + 1], &note[end + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteFault::Note)?;
        let mut is_signed = false;
        for (count, line) in lines.split('\n').enumerate() {
            let (name, encoded) =
                line.strip_prefix(SIGNATURE).and_then(|line| line.split_once(' ')).ok_or(NoteFault::Note)?;
            let signature = STANDARD.decode(encoded).map_err(|_| NoteFault::Note)?;
            let (id, signature) = signature.split_first_chunk::<4>().ok_or(NoteFault::Note)?;
            if count == SIGNATURES_MAX || !is_name(name) || signature.is_empty() {
                return Err(NoteFault::Note);
            }
            if name == self.name && *id == self.id {
                let key = UnparsedPublicKey::new(&ED25519, self.public);
                key.verify(text.as_bytes(), signature).map_err(|_| NoteFault::Forged)?;
                is_signed = true;
            }
        }
        if is_signed { Ok(text) } else { Err(NoteFault::Unsigned) }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[ED25519_TYPE], &self.public[..]].concat();
        write!(f, "{}+{}+{}", self.name, hex(&self.id), STANDARD.encode(bytes))
    }
}

/// A key that signs. Its seed is wiped from memory when it is dropped, and never printed.
pub struct Signer {
    seed: Zeroizing<[u8; KEY_BYTES]>,
    pair: Ed25519KeyPair,
    verifier: Verifier,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier.name)
    }
}

impl Signer {
    /// The key of a seed. Without a name it is called after its public key.
    pub fn new(seed: Zeroizing<[u8; KEY_BYTES]>, name: Option<&str>) -> Result<Signer, NoteFault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed[..]).map_err(|_| NoteFault::Key)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| NoteFault::Key)?;
        let name = name.map_or_else(|| format!("florin/{}", hex(&Sha256::digest(public)[..8])), str::to_owned);
        if !is_name(&name) {
            return Err(NoteFault::Key);
        }
        let verifier = Verifier { id: id_of(&name, &public), name, public };
        Ok(Signer { seed, pair, verifier })
    }

    /// Reads `PRIVATE+KEY+name+id+base64`. With another name it is another key of the same seed.
    pub fn parse(text: &str, name: Option<&str>) -> Result<Signer, NoteFault> {
        let mut split = text.trim().strip_prefix(PRIVATE).ok_or(NoteFault::Key)?.splitn(3, '+');
        let (Some(own), Some(id), Some(encoded)) = (split.next(), split.next(), split.next()) else {
            return Err(NoteFault::Key);
        };
        let (id, seed) = parts(id, encoded).ok_or(NoteFault::Key)?;
        let signer = Signer::new(seed.clone(), Some(own))?;
        if signer.verifier.id != id {
            return Err(NoteFault::Key);
        }
        Signer::new(seed, Some(name.unwrap_or(own)))
    }

    /// The key as text, to be kept secret.
    pub fn secret_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([ED25519_TYPE; KEY_BYTES + 1]);
        bytes[1..].copy_from_slice(&self.seed[..]);
        let encoded = Zeroizing::new(STANDARD.encode(&bytes[..]));
        Zeroizing::new(format!("{PRIVATE}{}+{}+{}", self.verifier.name, hex(&self.verifier.id), *encoded))
    }

    /// What others check signatures with.
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The signed note of a text of lines, none of them empty.
    pub fn sign(&self, text: &str) -> String {
        assert!(text.ends_with('\n') && !text.contains("\n\n"), "a note is of lines");
        let signature = [&self.verifier.id[..], self.pair.sign(text.as_bytes()).as_ref()].concat();
        format!("{text}\n{SIGNATURE}{} {}\n", self.verifier.name, STANDARD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of c2sp.org/signed-note and golang.org/x/mod/sumdb/note.
    const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const SIGNER: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

    #[test]
    fn the_published_example() {
        let verifier = Verifier::parse(VERIFIER).expect("it is a key");
        assert_eq!(verifier.to_string(), VERIFIER);
        let text = verifier.open(NOTE).expect("it is signed");
        assert!(text.starts_with("If you") && text.ends_with("is.\n"));
        let signer = Signer::parse(SIGNER, None).expect("it is a key");
        assert_eq!((signer.verifier(), &**signer.secret_text()), (&verifier, SIGNER));
        assert_eq!(signer.sign(text), NOTE);
    }

    #[test]
    fn what_was_changed_is_refused() {
        let verifier = Verifier::parse(VERIFIER).expect("it is a key");
        let signed = |note: &str| verifier.open(note).map(drop);
        assert_eq!(signed(&NOTE.replace("answer", "Answer")), Err(NoteFault::Forged));
        assert_eq!(signed(&NOTE.replace("x08go/ZJ", "x08go/ZK")), Err(NoteFault::Forged));
        assert_eq!(signed(&NOTE.replace("— Peter", "— Pater")), Err(NoteFault::Unsigned));
        assert_eq!(signed(&NOTE.replace("x08go", "x18go")), Err(NoteFault::Unsigned));
        for note in
            [NOTE.replace("\n\n", "\n"), NOTE.trim_end().to_owned(), NOTE.replace('—', "-"), NOTE.replace(',', "\t")]
        {
            assert_eq!(signed(&note), Err(NoteFault::Note), "{note}");
        }
        // A signature of somebody else does no harm; a wrong one beside a good one does.
        let line = NOTE.lines().last().expect("a signature");
        let other = line.replace("Peter", "Pater");
        assert_eq!(signed(&format!("{NOTE}{other}\n")), Ok(()));
        assert_eq!(signed(&format!("{NOTE}{}\n", line.replace("x08go/ZJ", "x08go/ZK"))), Err(NoteFault::Forged));
        assert_eq!(signed(&format!("{NOTE}{}", format!("{other}\n").repeat(SIGNATURES_MAX - 1))), Ok(()));
        assert_eq!(signed(&format!("{NOTE}{}", format!("{other}\n").repeat(SIGNATURES_MAX))), Err(NoteFault::Note));
        let long = format!("{}\n{}", "x".repeat(NOTE_BYTES_MAX), NOTE);
        assert_eq!(signed(&long), Err(NoteFault::Note));
    }

    #[test]
    fn keys_that_are_none() {
        let none = [
            "",
            "a",
            "a+b+c",
            &VERIFIER.replace("c74f", "c74e"),
            &VERIFIER.replace("Peter", "Peter "),
            &VERIFIER[..60],
        ];
        for text in none {
            assert_eq!(Verifier::parse(text), Err(NoteFault::Key), "{text}");
        }
        let seed = || Zeroizing::new([7; 32]);
        let named = Signer::new(seed(), Some("example.com/log")).expect("a key");
        let renamed = Signer::parse(&named.secret_text(), Some("example.com/other")).expect("a key");
        assert_eq!(
            (&*renamed.verifier().name, renamed.verifier().public),
            ("example.com/other", named.verifier().public)
        );
        assert_ne!(renamed.verifier().id, named.verifier().id);
        assert!(Signer::new(seed(), Some("two words")).is_err() && Signer::new(seed(), Some("")).is_err());
        assert!(Signer::new(seed(), None).expect("a key").verifier().name.starts_with("florin/"));
        assert_eq!(format!("{named:?}"), "Signer(example.com/log)");
    }
}
