//! Listings, and the headers of what they name.

use super::*;

#[tokio::test]
async fn listings_of_odd_servers() {
    let long = "u".repeat(7000);
    for (octets, rows) in [
        ("+OK\r\n.\r\n+OK\r\n.\r\n".to_owned(), vec![]),
        ("-ERR what?\r\n+OK\r\n1 5\r\n.\r\n".to_owned(), vec![(1, None, Some(5))]),
        (
            "+OK\r\n1 a\r\n2 a\r\n3 b\r\n.\r\n+OK\r\n1 5\r\n2 6\r\n.\r\n".to_owned(),
            vec![(1, None, Some(5)), (2, None, Some(6)), (3, Some("b".to_owned()), None)],
        ),
        (format!("+OK\r\n2 {long}\r\n.\r\n+OK\r\n2 5\r\n.\r\n"), vec![(2, Some(long), Some(5))]),
    ] {
        let got = fed(octets.as_bytes()).await.list().await.unwrap();
        let text = |key: Key| key.to_string();
        let got: Vec<_> = got.messages.into_iter().map(|m| (m.handle.0, m.key.map(text), m.size)).collect();
        assert_eq!(got, rows);
    }
    let raw = fed(b"+OK\r\n1 \xff\x80\r\n.\r\n+OK\r\n.\r\n").await.list().await.unwrap();
    assert_eq!(raw.messages[0].key, Some(Key::new(vec![0xff, 0x80])));
}

#[tokio::test]
async fn listings_that_make_no_sense() {
    for (octets, kind) in [
        ("+OK\r\nhello\r\n.\r\n+OK\r\n.\r\n", Kind::Protocol),
        ("+OK\r\n.\r\n+OK\r\n1\r\n.\r\n", Kind::Protocol),
        ("+OK\r\n1 a\r\n1 b\r\n.\r\n+OK\r\n.\r\n", Kind::Protocol),
        ("+OK\r\n.\r\n-ERR no\r\n", Kind::Protocol),
        ("+OK\r\n.\r\n-ERR [SYS/TEMP] no\r\n", Kind::TryLater),
        ("-ERR [SYS/TEMP] no\r\n+OK\r\n.\r\n", Kind::TryLater),
        ("+OK\r\n1 a\r\n", Kind::TryLater),
        ("hello\r\n", Kind::Protocol),
    ] {
        assert_eq!(fed(octets.as_bytes()).await.list().await.unwrap_err().kind(), kind, "{octets}");
    }
}

#[tokio::test]
async fn a_glance_asks_for_names_and_one_size() {
    let names = "S: +OK\nS: 1 aaa\nS: 2 bbb\nS: .\n";
    let sizes = "S: +OK\nS: 1 11\nS: 2 22\nS: .\n";
    for (capabilities, look) in [
        (FULL, format!("C: UIDL\nC: STAT\n{names}S: +OK 2 33\nC: LIST\n{sizes}")),
        (Some("TOP UIDL"), format!("C: UIDL\n{names}C: STAT\nS: +OK 2 33 octets\nC: LIST\n{sizes}")),
    ] {
        let (mut s, peer) = session(capabilities, &format!("{look}C: UIDL *\nS: -ERR")).await;
        let glance = s.glance().await.unwrap().unwrap();
        let rows = |messages: &[Listed]| messages.iter().map(|m| (m.handle.0, m.size)).collect::<Vec<_>>();
        assert_eq!((rows(&glance.messages), glance.octets), (vec![(1, None), (2, None)], 33));
        assert!(glance.messages.iter().all(|m| m.key.is_some()));
        let names: Vec<_> = glance.messages.iter().map(|m| m.key.clone()).collect();
        let listing = s.complete(glance).await.unwrap();
        assert_eq!(rows(&listing.messages), [(1, Some(11)), (2, Some(22))]);
        assert_eq!(listing.messages.into_iter().map(|m| m.key).collect::<Vec<_>>(), names);
        assert!(s.list().await.is_err());
        drop(s);
        peer.await.unwrap();
    }
}

#[tokio::test]
async fn where_a_glance_tells_too_little_all_is_listed() {
    let capa = "+OK\r\nUIDL\r\n.\r\n";
    for answers in [
        "-ERR what?\r\n+OK 1 5\r\n",
        "+OK\r\n1 a\r\n.\r\n-ERR what?\r\n",
        "+OK\r\n1 a\r\n.\r\n+OK\r\n",
        "+OK\r\n1 a\r\n.\r\n+OK 1 99999999999999999999\r\n",
        "+OK\r\n1 a\r\n.\r\n+OK 2 5\r\n",
        "+OK\r\n.\r\n+OK 0 0\r\n",
    ] {
        let mut s = fed_by(capa, format!("{answers}+OK\r\n1 a\r\n.\r\n+OK\r\n1 5\r\n.\r\n").as_bytes()).await;
        assert_eq!(s.glance().await.unwrap(), None, "{answers}");
        let listing = s.list().await.unwrap();
        assert_eq!(
            listing.messages,
            [Listed { handle: Handle(1), key: Some(Key::new("a")), size: Some(5) }],
            "{answers}"
        );
    }
    let twice = "+OK\r\n1 a\r\n1 b\r\n.\r\n+OK 2 5\r\n";
    assert_eq!(fed_by(capa, twice.as_bytes()).await.glance().await.unwrap(), None);
}

#[tokio::test]
async fn retention_limits_are_told() {
    let (mut s, _peer) = session(Some("EXPIRE_0"), "C: UIDL\nS: -ERR\nC: LIST\nS: +OK\nS: .").await;
    assert!(s.list().await.unwrap().notes[0].contains("EXPIRE 0"));
}

#[tokio::test]
async fn fingerprints_by_top() {
    let (mut s, peer) = session(
        FULL,
        "C: TOP 1 0
         C: TOP 2 0
         C: TOP 3 0
         S: +OK
         S: Message-ID: <1@x>
         S:
         S: .
         S: -ERR
         S: +OK
         S: Subject: three
         S: .",
    )
    .await;
    let prints = s.fingerprints(&handles(1..=3)).await.unwrap();
    let expected = [
        (Handle(1), Fingerprint::of_header(b"Message-ID: <1@x>\r\n\r\n")),
        (Handle(3), Fingerprint::of_header(b"Subject: three\r\n")),
    ];
    assert_eq!(prints, BTreeMap::from(expected));
    drop(s);
    assert_eq!(peer.await.unwrap(), "");
}

#[tokio::test]
async fn top_is_tried_once_where_the_server_does_not_tell() {
    let (mut s, peer) = session(None, "C: TOP 1 0\nS: -ERR what?\nC: NOOP\nS: +OK").await;
    assert!(s.abilities().headers_apart);
    assert_eq!(s.fingerprints(&handles(1..=3)).await.unwrap(), BTreeMap::new());
    assert!(!s.abilities().headers_apart);
    drop(s);
    assert_eq!(peer.await.unwrap(), "");

    let one = "S: +OK\nS: Date: 1\nS: .";
    let (mut s, _peer) = session(None, &format!("C: TOP 1 0\n{one}\nC: TOP 2 0\nS: -ERR\nC: TOP 3 0\n{one}")).await;
    assert_eq!(s.fingerprints(&handles(1..=3)).await.unwrap().len(), 2);
    assert!(s.abilities().headers_apart);
}
