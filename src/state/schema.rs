//! Opening the database: schema version, upgrades, durability.

use crate::error::{Error, Kind, Result};
use rusqlite::{Connection, OpenFlags};
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Each entry brings the database from the version of its place to the next.
const UPGRADES: [&str; 5] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
];

/// Opens the database and brings it to the newest version; every commit is durable when it returns.
pub fn open(path: &Path) -> Result<Connection> {
    // SQLite would let others read it, and gives the files beside it the same mode. What goes wrong here it meets as well.
    let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
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
    let mut copy = Connection::open_in_memory().map_err(|e| failed(path, e))?;
    open_untouched(path)
        .and_then(|source| {
            rusqlite::backup::Backup::new(&source, &mut copy)?.run_to_completion(1024, std::time::Duration::ZERO, None)
        })
        .map_err(|e| failed(path, e))?;
    prepare(&copy, path).map(|()| copy)
}

/// Opens a database for reading. SQLite would make a `-wal` and a `-shm` file beside it even then, and leave them there,
/// were it not told that nobody writes; and nobody does while there is no `-wal`.
fn open_untouched(path: &Path) -> rusqlite::Result<Connection> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if Path::new(&wal).exists() {
        return Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    }
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend_from_slice(format!("%{byte:02x}").as_bytes()),
            byte => uri.push(*byte),
        }
    }
    uri.extend_from_slice(b"?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(Path::new(OsStr::from_bytes(&uri)), flags)
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
    if version == newest {
        return Ok(());
    }
    let steps = UPGRADES.get(version..).unwrap_or_default().join(";\n");
    // One transaction: each is a wait for the disk.
    db.execute_batch(&format!("BEGIN IMMEDIATE; {steps}; PRAGMA user_version = {newest}; COMMIT;"))
        .map_err(|e| failed(path, e))
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
        Some(DiskFull) => "Free some space, then run again: the next run finishes the work.",
        _ => "See that the file and its folder are writable for this user, then run again.",
    };
    Error::new(Kind::LocalIo, format!("cannot use the state {}", path.display()), remedy).because(e.to_string())
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
    fn no_check_builds_a_table_for_each_row() {
        let db = open_in_memory().unwrap();
        let values = "folder, wire_size, digest, fingerprint, status, first_seen";
        for sql in [
            format!("INSERT INTO message ({values}) VALUES (1, 2, x'', x'', 'arriving', 3)"),
            "UPDATE message SET status = 'delivered', gone = 'local' WHERE id = 1".to_owned(),
        ] {
            let mut steps = db.prepare(&format!("EXPLAIN {sql}")).unwrap();
            let steps: Vec<String> = steps.query_map([], |r| r.get("opcode")).unwrap().map(Result::unwrap).collect();
            assert!(steps.iter().any(|s| s == "HaltIfNull") && steps.iter().all(|s| s != "OpenEphemeral"), "{steps:?}");
        }
    }

    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir.path().join("a.sqlite")).unwrap();
        db.execute("INSERT INTO folder (name, scope) VALUES ('INBOX', 's')", []).unwrap();
        let mode = |e: std::io::Result<std::fs::DirEntry>| e.unwrap().metadata().unwrap().permissions().mode() & 0o777;
        let modes: Vec<u32> = std::fs::read_dir(dir.path()).unwrap().map(mode).collect();
        assert_eq!(modes, [0o600; 3], "the database, its -wal and its -shm");
    }

    #[test]
    fn opening_again_keeps_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a%3f?#.sqlite");
        open(&path).unwrap().execute("INSERT INTO folder (name, scope) VALUES ('INBOX', 's')", []).unwrap();
        for db in [open(&path).unwrap(), open_copy(&path).unwrap()] {
            assert_eq!(db.query_row("SELECT count(*) FROM folder", [], |r| r.get::<_, i64>(0)).unwrap(), 1);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_copy_holds_what_a_run_under_way_has_committed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let run = open(&path).unwrap();
        run.execute("INSERT INTO folder (name, scope) VALUES ('INBOX', 's')", []).unwrap();
        let copy = open_copy(&path).unwrap();
        assert_eq!(copy.query_row("SELECT count(*) FROM folder", [], |r| r.get::<_, i64>(0)).unwrap(), 1);
    }

    #[test]
    fn a_database_of_schema_1_is_brought_up_with_all_its_messages() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&format!("{}; PRAGMA user_version = 1;", include_str!("schema/1.sql"))).unwrap();
        old.execute("INSERT INTO folder (name, scope, in_doubt) VALUES ('INBOX', 's', 1)", []).unwrap();
        for (key, place) in [
            ("1", Some("new/1.a")),
            ("2", Some("cur/2.b:2,FS")),
            ("3", Some("12+34 From x")),
            ("4", None),
            ("5", Some("cur/2.b:2,S")),
        ] {
            old.execute(
                "INSERT INTO message (folder, key, wire_size, digest, fingerprint, status, place, first_seen)
                 VALUES (1, CAST(?1 AS BLOB), 9, x'00', x'00', 'delivered', ?2, 7)",
                [Some(key), place],
            )
            .unwrap();
        }
        drop(old);
        let db = open(&path).unwrap();
        let mut query = db
            .prepare("SELECT CAST(key AS TEXT), CAST(local_key AS TEXT), marks, gone IS NULL FROM message ORDER BY id")
            .unwrap();
        let rows: Vec<(String, Option<String>, String, bool)> = query
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let row = |key: &str, local: Option<&str>| (key.into(), local.map(str::to_owned), String::new(), true);
        let expected = [row("1", Some("1.a")), row("2", Some("2.b")), row("3", None), row("4", None), row("5", None)];
        assert_eq!(rows, expected);
        let folder = "SELECT in_doubt, synced, uidnext IS NULL AND baseline IS NULL FROM folder";
        let kept = db.query_row(folder, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
        assert_eq!(kept, (true, false, true));
    }

    #[test]
    fn a_database_of_schema_2_keeps_what_it_knows_of_folders() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let old = Connection::open(&path).unwrap();
        let both = UPGRADES[..2].join(";");
        old.execute_batch(&format!("{both}; PRAGMA user_version = 2;")).unwrap();
        old.execute("INSERT INTO folder (name, scope, synced, highestmodseq) VALUES ('INBOX', 's', 1, 7)", []).unwrap();
        drop(old);
        let folder = "SELECT synced, highestmodseq, baseline FROM folder";
        let kept = open(&path).unwrap().query_row(folder, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
        assert_eq!(kept, (true, 7, None::<u64>));
    }
}
