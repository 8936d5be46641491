//! Fourfold's queue: a standard one, with all that goes with it.

use std::path::Path;

use fourfold::queue::{BatchEntry, Queue as Messages};
use fourfold::{Durability, Store};

use super::ours::durability;
use crate::engine::{Class, Queue, Result};

struct Ours(Messages);

pub fn open(dir: &Path, class: Class) -> Result<Box<dyn Queue>> {
    build(dir, durability(class))
}

pub fn open_buffered(dir: &Path, _class: Class) -> Result<Box<dyn Queue>> {
    build(dir, Durability::Buffered)
}

fn build(dir: &Path, durability: Durability) -> Result<Box<dyn Queue>> {
    let store = Store::builder().durability(durability).open(dir)?;
    Ok(Box::new(Ours(store.queues().create("messages")?)))
}

fn entries<T>(values: impl Iterator<Item = T>) -> Vec<BatchEntry<T>> {
    const IDS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    IDS.into_iter().zip(values).map(|(id, value)| BatchEntry::new(id, value)).collect()
}

impl Queue for Ours {
    fn send(&self, bodies: &[&str]) -> Result<()> {
        if let [body] = bodies {
            self.0.send(*body)?;
            return Ok(());
        }
        let sent = self.0.send_batch(entries(bodies.iter().map(|body| (*body).into())))?;
        if sent.failed.is_empty() { Ok(()) } else { Err("a message was refused".into()) }
    }

    fn take(&self, max: usize, see: &mut dyn FnMut(&[u8])) -> Result<usize> {
        let messages = self.0.receive(i32::try_from(max)?)?;
        for message in &messages {
            see(message.text().as_bytes());
        }
        if let [message] = messages.as_slice() {
            self.0.delete_message(message.receipt_handle())?;
        } else if !messages.is_empty() {
            let handles = messages.iter().map(|message| message.receipt_handle().to_owned());
            if !self.0.delete_batch(entries(handles))?.failed.is_empty() {
                return Err("a message was not deleted".into());
            }
        }
        Ok(messages.len())
    }
}
