//! Counts the words of files into a store, then opens the store again and asks it for the most frequent.
//!
//! `cargo run --release --example words -- README.md src/lib.rs`

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::{Keyspace, Store};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        return Err("usage: words FILE...".into());
    }
    let dir = std::env::temp_dir().join(format!("fourfold-words-{}", std::process::id()));
    let counted = count(&dir, &files);
    let shown = counted.and_then(|()| show(&dir));
    #[expect(
        clippy::disallowed_methods,
        reason = "the example cleans up behind itself, outside of the store"
    )]
    std::fs::remove_dir_all(&dir)?;
    shown
}

/// One batch per file: its words and its name go in together or not at all.
fn count(dir: &Path, files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let store = Store::open(dir)?;
    let (words, done) = (store.keyspace("words")?, store.keyspace("files")?);
    for file in files {
        let name = file.to_string_lossy();
        #[expect(clippy::disallowed_methods, reason = "the input is not part of the store")]
        let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
        let mut counts = BTreeMap::<String, u64>::new();
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
        let mut batch = store.batch();
        for (word, count) in &counts {
            batch.put(&words, word, (count + known(&words, word)?).to_le_bytes())?;
        }
        batch.put(&done, &*name, text.len().to_le_bytes())?;
        let commit = store.write(batch)?;
        println!("{name}: {} different words, committed at {}", counts.len(), commit.position());
    }
    Ok(())
}

fn known(words: &Keyspace, word: &str) -> Result<u64, Box<dyn Error>> {
    match words.get(word)? {
        Some(value) => Ok(u64::from_le_bytes(value[..].try_into()?)),
        None => Ok(0),
    }
}

fn show(dir: &Path) -> Result<(), Box<dyn Error>> {
    let store = Store::open(dir)?;
    let words = store.keyspace("words")?;
    let mut counts = Vec::new();
    for entry in words.range::<&str>(..) {
        let (word, count) = entry?;
        counts.push((u64::from_le_bytes(count[..].try_into()?), String::from_utf8(word.to_vec())?));
    }
    counts.sort_by(|a, b| b.cmp(a));
    println!("reopened: {} words in all; the most frequent:", counts.len());
    for (count, word) in counts.iter().take(5) {
        println!("{count:>6}  {word}");
    }
    let problems = store.verify()?;
    println!("verified: {} problems", problems.len());
    Ok(())
}
