//! Certificate and key of the listener: read at start, and again when they change.
//!
//! A pair that cannot be used leaves the one before it in force; that is logged and in the audit trail.
//! Files are looked at every two seconds and read once they have stayed the same between two looks, so
//! that a pair whose halves are written one after the other is read whole.
//!
//! SPEC: AZ-24, SM-30; TLS 1.2 and 1.3 (RFC 9325).

use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use sha2::{Digest as _, Sha256};

use crate::{
    audit::Trail,
    chance,
    clock::Clock,
    config::TlsFiles,
    id::Id,
    record::{Event, Family, Gateway},
    tasks::Stop,
};

const EVERY: Duration = Duration::from_secs(2);
/// Larger than any certificate chain or key.
const LONGEST: u64 = 1 << 20;

/// A certificate with its key, ready to be spoken with.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) config: Arc<ServerConfig>,
    /// SHA-256 of the certificate itself, as browsers show it.
    fingerprint: String,
}

/// Reads both files, or says in words what is wrong with them.
pub(super) fn read(files: &TlsFiles) -> Result<Pair, String> {
    let TlsFiles { certificate, private_key } = files;
    let fail = |key: &str, path: &Path, problem: &dyn std::fmt::Display| {
        format!("`listen.tls.{key}`: the file `{}`: {problem}", path.display())
    };
    let text = contents(certificate, false).map_err(|problem| fail("certificate", certificate, &problem))?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| fail("certificate", certificate, &"is not PEM"))?;
    let Some(first) = chain.first() else {
        return Err(fail("certificate", certificate, &"holds no certificate"));
    };
    let fingerprint = Sha256::digest(first).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = contents(private_key, true).map_err(|problem| fail("private_key", private_key, &problem))?;
    let key = PrivateKeyDer::from_pem_slice(&text);
    let key = key.map_err(|_| fail("private_key", private_key, &"holds no private key that can be read"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| fail("private_key", private_key, &format!("does not go with the certificate: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Pair { config: Arc::new(config), fingerprint })
}

fn contents(path: &Path, secret: bool) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let about = file.metadata().map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("is not a file".into());
    }
    if secret && about.permissions().mode() & 0o077 != 0 {
        return Err("is open to others than its owner; `chmod 600` it".into());
    }
    if about.len() > LONGEST {
        return Err("is larger than 1 MiB".into());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// What keeps a pair up to date needs.
pub(super) struct Keep {
    pub(super) files: TlsFiles,
    pub(super) current: Arc<ArcSwap<ServerConfig>>,
    pub(super) stamp: Option<Stamp>,
    pub(super) trail: Arc<Trail>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) gateway: Gateway<'static>,
}

/// By what a change of the files is seen: of each, when and how it was last written, and which it is.
pub(super) type Stamp = [(i64, i64, u64, u64, u32); 2];

/// Looks at both files; nothing where one is not there.
pub(super) fn stamp(files: &TlsFiles) -> Option<Stamp> {
    let of = |path: &Path| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.mtime(), about.mtime_nsec(), about.len(), about.ino(), about.mode()))
    };
    Some([of(&files.certificate)?, of(&files.private_key)?])
}

/// Runs until told to stop.
pub(super) async fn keep(keep: Keep, mut stop: Stop) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut read_at, mut seen) = (keep.stamp, keep.stamp);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.stopped() => return,
        }
        let files = keep.files.clone();
        // The disk may take its time; no request waits for that.
        let looked = tokio::task::spawn_blocking(move || {
            let now = stamp(&files);
            let changed = now.is_some() && now != read_at && now == seen;
            (now, changed.then(|| read(&files)))
        });
        let Ok((now, pair)) = looked.await else { continue };
        seen = now;
        if let Some(pair) = pair {
            read_at = now;
            keep.exchange(pair);
        }
    }
}

impl Keep {
    fn exchange(&self, pair: Result<Pair, String>) {
        match pair {
            Ok(Pair { config, fingerprint }) => {
                self.current.store(config);
                tracing::info!(sha256 = fingerprint, "a new certificate is in force");
                self.note("certificate-reloaded", &[("sha256", &fingerprint)]);
            }
            Err(problem) => {
                tracing::error!(problem, "the new certificate cannot be used; the one before it stays in force");
                self.note("certificate-refused", &[("problem", &problem)]);
            }
        }
    }

    fn note(&self, what: &'static str, facts: &[(&str, &str)]) {
        let at = self.clock.now();
        let written = chance::bytes().map_err(|error| error.to_string()).and_then(|random| {
            let (id, gateway) = (Id::new(at, random), self.gateway);
            let event = Event { id, at, gateway, family: Family::Config, what, facts };
            self.trail.event(event).map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            tracing::error!(error, what, "the audit trail does not have this");
        }
    }
}
