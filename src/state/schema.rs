//! Opening the database: schema version, upgrades, durability.

use crate::error::{Error, Kind, Result};
use rusqlite::Connection;
use std::path::Path;

/// Each entry brings the database from the version of its place to the next.
const UPGRADES: [&str; 1] = [include_str!("schema/1.sql")];

/// Opens the database and brings it to the newest version; every commit is durable when it returns.
pub fn open(path: &Path) -> Result<Connection> {
    let db = Connection::open(path).map_err(|e| failed(path, e))?;
    prepare(&db, path).map(|()| db)
}

/// A database that is gone when it is closed, for runs that must leave no trace.
pub fn open_in_memory() -> Result<Connection> {
    let path = Path::new(":memory:");
    let db = Connection::open_in_memory().map_err(|e| failed(path, e))?;
    prepare(&db, path).map(|()| db)
}

/// A copy in memory of the database, for runs that must leave no trace.
pub fn open_copy(path: &Path) -> Result<Connection> {
    // Open for reading only, SQLite could not clear away the files that WAL mode puts beside the database.
    let source =
        Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|e| failed(path, e))?;
    let mut copy = Connection::open_in_memory().map_err(|e| failed(path, e))?;
    rusqlite::backup::Backup::new(&source, &mut copy)
        .and_then(|b| b.run_to_completion(1024, std::time::Duration::ZERO, None))
        .map_err(|e| failed(path, e))?;
    prepare(&copy, path).map(|()| copy)
}

fn prepare(db: &Connection, path: &Path) -> Result<()> {
    let newest = UPGRADES.len();
    let version = configure(db).map_err(|e| failed(path, e))?;
    if version > newest {
        return Err(Error::new(
            Kind::LocalIo,
            format!(
                "the state {} was written by a newer mailferry (schema {version}, this one knows {newest})",
                path.display()
            ),
            "Update mailferry.",
        ));
    }
    for (step, sql) in UPGRADES.iter().enumerate().skip(version) {
        let next = step + 1;
        db.execute_batch(&format!("BEGIN IMMEDIATE; {sql}; PRAGMA user_version = {next}; COMMIT;"))
            .map_err(|e| failed(path, e))?;
    }
    Ok(())
}

fn configure(db: &Connection) -> rusqlite::Result<usize> {
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// What SQLite refused, and what to do about it.
pub fn failed(path: &Path, e: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase};
    let remedy = match e.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            "Move the file away and run again: messages already in the store are recognised and not fetched twice."
        }
        Some(DiskFull) => "Free some space, then run again; nothing was deleted on the server.",
        _ => "See that the file and its folder are writable for this user, then run again.",
    };
    Error::new(Kind::LocalIo, format!("cannot use the state {}", path.display()), remedy).because(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_or_damaged_database_is_refused_with_its_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let newer = open(&path).unwrap_err();
        assert!(newer.to_string().contains("newer mailferry") && newer.remedy() == "Update mailferry.");
        let broken = dir.path().join("b.sqlite");
        std::fs::write(&broken, [b'x'; 4096]).unwrap();
        let damaged = open(&broken).unwrap_err();
        assert_eq!(damaged.kind(), Kind::LocalIo);
        assert!(damaged.remedy().starts_with("Move the file away"), "{damaged}");
    }

    #[test]
    fn opening_again_keeps_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        open(&path).unwrap().execute("INSERT INTO folder (name, scope) VALUES ('INBOX', 's')", []).unwrap();
        for db in [open(&path).unwrap(), open_copy(&path).unwrap()] {
            assert_eq!(db.query_row("SELECT count(*) FROM folder", [], |r| r.get::<_, i64>(0)).unwrap(), 1);
        }
    }
}
