//! Sample mail: the same bytes in every run, as on the wire (lines end with CRLF).

/// A message with the headers that mail has; the number makes it unlike every other.
pub fn message(n: usize, body: &str) -> Vec<u8> {
    let (day, hour, minute) = (1 + n / 1440 % 28, n / 60 % 24, n % 60);
    format!(
        "Return-Path: <sender{n}@example.net>\r\nReceived: from mx.example.net by mail.example.org; {day} Mar 2024 {hour:02}:{minute:02}:00 +0000\r\n\
         From: Sender {n} <sender{n}@example.net>\r\nTo: Ada <ada@example.org>\r\nSubject: message {n}\r\n\
         Date: {day} Mar 2024 {hour:02}:{minute:02}:00 +0000\r\nMessage-ID: <{n}@example.net>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}"
    )
    .into_bytes()
}

/// So many ordinary messages of 1 to 25 kB, 13 kB on average.
pub fn ordinary(n: usize) -> Vec<Vec<u8>> {
    (1..=n).map(|i| message(i, &prose(i as u64, 600 + (i * 7919) % 24_000))).collect()
}

/// A message of at least so many bytes.
pub fn large(bytes: usize) -> Vec<u8> {
    message(900_001, &prose(7, bytes))
}

/// Lines of up to 76 characters, at least so many bytes in all.
fn prose(seed: u64, bytes: usize) -> String {
    const WORDS: [&str; 12] =
        ["ferry", "letter", "harbour", "From", "tide", "over", "boat", "night", "island", "post", "quay", "wind"];
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(bytes + 80);
    let mut column = 0;
    while text.len() < bytes {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let word = WORDS[(random % WORDS.len() as u64) as usize];
        if column + word.len() > 75 {
            text.push_str("\r\n");
            column = 0;
        }
        text.push_str(word);
        text.push(' ');
        column += word.len() + 1;
    }
    text.push_str("\r\n");
    text
}

/// Messages that break programs, each with its name.
pub fn nasty() -> Vec<(&'static str, Vec<u8>)> {
    let with_body = |n: usize, body: &[u8]| [message(n, "").as_slice(), body].concat();
    let twin = message(1020, "the same twice\r\n");
    vec![
        ("a line of 20 000 characters", with_body(1001, &[&[b'x'; 20_000], b"\r\nafter\r\n".as_slice()].concat())),
        ("NUL", with_body(1002, b"before\0after\r\n\0\r\n")),
        ("all bytes from 128 on", with_body(1003, &[(128..=255).collect::<Vec<u8>>().as_slice(), b"\r\n"].concat())),
        ("8-bit header", b"Subject: gr\xfc\xdfe\r\nMessage-ID: <1004@x>\r\n\r\nbody\r\n".to_vec()),
        ("bare CR", with_body(1005, b"one\rtwo\r\r\nthree\r\n")),
        ("bare LF", with_body(1006, b"one\ntwo\n\nthree\r\n")),
        ("leading dots", with_body(1007, b".one\r\n..two\r\n...\r\n.\r\n. \r\nend\r\n")),
        ("a dot behind a bare LF", with_body(1008, b"one\n.two\n.\nthree\r\n")),
        ("From lines", with_body(1009, b"From here on\r\n\r\nFrom ada@example.org Fri Mar  1 00:00:00 2024\r\nx\r\n")),
        ("quoted From lines", with_body(1010, b">From\r\n>From a\r\n>>From b\r\n> From c\r\n")),
        ("a From line first", b"From ada@example.org Fri Mar  1 00:00:00 2024\r\nSubject: 1011\r\n\r\nx\r\n".to_vec()),
        ("no final line end", with_body(1012, b"the last line has no end")),
        ("ends with CR", with_body(1013, b"the last line ends with\r")),
        ("ends with blank lines", with_body(1014, b"blank lines follow\r\n\r\n\r\n")),
        ("empty", Vec::new()),
        ("headers only", b"Subject: 1016 no body\r\nMessage-ID: <1016@x>\r\n".to_vec()),
        ("headers and a blank line only", b"Subject: 1017 no body\r\nMessage-ID: <1017@x>\r\n\r\n".to_vec()),
        ("no headers", b"\r\nonly a body 1018\r\n".to_vec()),
        ("no Message-ID", b"From: a@example.net\r\nSubject: 1019\r\n\r\nno id\r\n".to_vec()),
        ("one of two twins", twin.clone()),
        ("the other twin", twin),
        ("the Message-ID of another", b"Subject: 1022\r\nMessage-ID: <1020@example.net>\r\n\r\nother\r\n".to_vec()),
        ("no text at all", b"\xff\xfe\x00\x01".to_vec()),
    ]
}

/// The nasty messages without their names.
pub fn nasty_bytes() -> Vec<Vec<u8>> {
    nasty().into_iter().map(|(_, bytes)| bytes).collect()
}

/// What POP3 makes of a message: its last line always has an end (RFC 1939 section 3).
pub fn over_pop3(message: &[u8]) -> Vec<u8> {
    let end: &[u8] = if message.is_empty() || message.ends_with(b"\r\n") { b"" } else { b"\r\n" };
    [message, end].concat()
}

/// A message as a store keeps it whose line ends are LF: each CRLF becomes LF, all else stays.
pub fn with_lf(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    for (i, b) in message.iter().enumerate() {
        if *b != b'\r' || message.get(i + 1) != Some(&b'\n') {
            out.push(*b);
        }
    }
    out
}
