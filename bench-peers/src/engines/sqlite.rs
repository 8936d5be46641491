//! SQLite: a table of messages, each with the moment from which on it can be received.

use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};

use crate::engine::{Class, Queue, Result};

const LEASE_MS: i64 = 30_000;

/// One connection for all threads: those with connections of their own wait for each other's locks by sleeping.
struct Sqlite {
    connection: Mutex<Connection>,
    class: Class,
}

pub fn open(dir: &Path, class: Class) -> Result<Box<dyn Queue>> {
    let connection = Connection::open(dir.join("sqlite"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(
        "CREATE TABLE messages (number INTEGER PRIMARY KEY AUTOINCREMENT, due INTEGER NOT NULL, body TEXT NOT NULL)",
    )?;
    Ok(Box::new(Sqlite { connection: Mutex::new(connection), class }))
}

impl Sqlite {
    /// One transaction.
    fn write<T>(&self, durable: bool, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = self.connection.lock().expect("no step panicked");
        if self.class == Class::Power {
            // Leases are not waited for.
            let synchronous = if durable { "PRAGMA synchronous=FULL" } else { "PRAGMA synchronous=NORMAL" };
            connection.prepare_cached(synchronous)?.execute([])?;
        }
        let transaction = connection.transaction()?;
        let result = run(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }
}

impl Queue for Sqlite {
    fn send(&self, bodies: &[&str]) -> Result<()> {
        self.write(true, |connection| {
            let mut insert = connection.prepare_cached("INSERT INTO messages (due, body) VALUES (0, ?1)")?;
            bodies.iter().try_for_each(|body| insert.execute([body]).map(drop))
        })
    }

    fn take(&self, max: usize, see: &mut dyn FnMut(&[u8])) -> Result<usize> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        let received: Vec<(i64, String)> = self.write(false, |connection| {
            let mut lease = connection.prepare_cached(
                "UPDATE messages SET due = ?2 WHERE number IN
                 (SELECT number FROM messages WHERE due <= ?1 ORDER BY number LIMIT ?3) RETURNING number, body",
            )?;
            let rows = lease
                .query_map(params![now, now + LEASE_MS, max as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })?;
        received.iter().for_each(|(_, body)| see(body.as_bytes()));
        if !received.is_empty() {
            self.write(true, |connection| {
                let mut delete = connection.prepare_cached("DELETE FROM messages WHERE number = ?1")?;
                received.iter().try_for_each(|(number, _)| delete.execute([number]).map(drop))
            })?;
        }
        Ok(received.len())
    }
}
