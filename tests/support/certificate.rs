//! Certificates for servers on loopback: good ones and each kind of bad one.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use sha2::{Digest, Sha256};

/// What is right or wrong with the certificate a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Signed by the test CA, for `localhost` and 127.0.0.1.
    Good,
    /// For the right names, signed by nobody.
    SelfSigned,
    /// Good until the end of 2020.
    Expired,
    /// Signed by the test CA, for `mail.example.org`.
    WrongName,
}

/// A certificate with its key, and the CA that a client would trust.
pub struct Identity {
    pub ca_pem: String,
    pub certificate_pem: String,
    pub key_pem: String,
    /// SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub pin: String,
}

impl Certificate {
    /// A fresh certificate, key and CA.
    pub fn issue(self) -> Identity {
        let mut ca = params(&[]);
        ca.distinguished_name.push(DnType::CommonName, "mailferry test CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_key = KeyPair::generate().expect("a CA key");
        let ca_pem = ca.self_signed(&ca_key).expect("a CA certificate").pem();
        let issuer = Issuer::new(ca, ca_key);

        let names: &[&str] =
            if self == Certificate::WrongName { &["mail.example.org"] } else { &["localhost", "127.0.0.1"] };
        let mut leaf = params(names);
        leaf.distinguished_name.push(DnType::CommonName, names[0]);
        leaf.use_authority_key_identifier_extension = self != Certificate::SelfSigned;
        if self == Certificate::Expired {
            leaf.not_after = date_time_ymd(2020, 12, 31);
        }
        let key = KeyPair::generate().expect("a server key");
        let certificate = match self {
            Certificate::SelfSigned => leaf.self_signed(&key),
            _ => leaf.signed_by(&key, &issuer),
        }
        .expect("a server certificate");
        let pin = Sha256::digest(certificate.der()).iter().map(|b| format!("{b:02x}")).collect();
        Identity { ca_pem, certificate_pem: certificate.pem(), key_pem: key.serialize_pem(), pin }
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params
}
