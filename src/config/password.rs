//! The `password` key of an account.

use super::account::Surroundings;
use super::problem::Fault;
use super::table::{Table, wrong_type};
use crate::credentials::{PasswordSource, Secret};
use toml::de::DeValue;

/// The service under which the keyring has passwords, unless another is named.
const SERVICE: &str = "mailferry";

/// The `password` table: one source, and only one; where it is missing, the prompt.
pub(super) fn password(table: &mut Table<'_>, around: &Surroundings<'_>) -> Option<PasswordSource> {
    const EXAMPLE: &str = "Write, for example, `password = { command = \"pass show mail/work\" }`.";
    const SOURCES: [&str; 7] = ["command", "env", "file", "value", "netrc", "prompt", "keyring"];
    // A password written where a table belongs deserves better advice than the reader's own.
    let stated = table.value("password", |v| match v {
        DeValue::Table(_) => Ok(()),
        other => Err(wrong_type("a table that tells where the password is", other, EXAMPLE)),
    });
    if stated.is_none() {
        return (!table.has("password")).then_some(PasswordSource::Prompt);
    }
    let mut table = table.table("password")?;
    let filled = |text: &str| match text.contains(['\0', '\r', '\n']) {
        _ if text.is_empty() => Err(Fault::new("is empty", EXAMPLE)),
        true => Err(Fault::new("holds a line break or NUL character", "Write it without.")),
        false => Ok(text.to_owned()),
    };
    let only_true = |key: &str, source: PasswordSource| {
        let remedy = format!("Write `password = {{ {key} = true }}`.");
        move |v: &DeValue<'_>| match v {
            DeValue::Boolean(true) => Ok(source),
            _ => Err(Fault::new("takes `true` only", remedy)),
        }
    };
    let sources = [
        table.text("command", |t| match t.trim() {
            "" => Err(Fault::new("is empty", EXAMPLE)),
            _ => Ok(PasswordSource::Command(t.to_owned())),
        }),
        table.text("env", |t| match t.contains(['=', '\0']) {
            true => {
                Err(Fault::new("is not the name of a variable", "Write the name alone, such as \"MAIL_PASSWORD\"."))
            }
            false => filled(t).map(PasswordSource::Env),
        }),
        table.text("file", |t| around.base.expand(t).map(PasswordSource::File)),
        table.text("value", |t| match around.private {
            true => filled(t).map(|t| PasswordSource::Value(Secret::new(t))),
            false => Err(Fault::new(
                "other users can read this file, and with it the password",
                format!("Run `chmod 600 {}`, or use `command`.", around.file.display()),
            )),
        }),
        table.value("netrc", only_true("netrc", PasswordSource::Netrc)),
        table.value("prompt", only_true("prompt", PasswordSource::Prompt)),
        table.value("keyring", |v| match v {
            DeValue::Boolean(true) => Ok(PasswordSource::Keyring(SERVICE.to_owned())),
            DeValue::String(service) => filled(service).map(PasswordSource::Keyring),
            _ => Err(Fault::new("takes `true` or the name of a service", "Write `password = { keyring = true }`.")),
        }),
    ];
    let stated = SOURCES.iter().filter(|key| table.has(key)).count();
    if stated > 1 {
        table.complain(None, Fault::new("names several sources", format!("Keep one of them. {EXAMPLE}")));
    } else if table.is_empty() {
        table.complain(None, Fault::new("names no source", EXAMPLE));
    }
    table.finish(&[]);
    sources.into_iter().flatten().next()
}
