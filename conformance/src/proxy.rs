//! Proxies from Debian, each on a free port of the loopback address for the length of a test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::folder::Folder;
use crate::process::{Program, setting};
use crate::raw::listener;

/// Which proxy, and how it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Squid over HTTP.
    Squid,
    /// Squid over TLS; its certificate is [`Proxy::certificate`].
    SquidTls,
    /// Tinyproxy.
    Tinyproxy,
    /// microsocks, where the proxy looks names up.
    Microsocks,
}

/// A running proxy. Dropping it ends it.
#[derive(Debug)]
pub struct Proxy {
    kind: Kind,
    address: SocketAddr,
    program: Program,
    folder: Folder,
}

impl Proxy {
    /// Starts a proxy that lets everybody in, or only [`USER`] with [`PASSWORD`], and waits until it listens.
    ///
    /// # Errors
    /// When it does not start or the chore did not provide it.
    pub async fn start(kind: Kind, login: bool) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        // It cannot be told to take any port that is free, so that one is chosen for it.
        let (_, address) = listener().await?;
        let command = match kind {
            Kind::Squid | Kind::SquidTls => squid(kind, address, login, &folder)?,
            Kind::Tinyproxy => tinyproxy(address, login, &folder)?,
            Kind::Microsocks => microsocks(address, login)?,
        };
        let program = Program::logging(&format!("{kind:?}"), command, &folder.path().join("log"))?;
        let mut proxy = Self { kind, address, program, folder };
        proxy.listens().await?;
        Ok(proxy)
    }

    /// Its URL, with credentials where there are any to write.
    #[must_use]
    pub fn url(&self, credentials: &str) -> String {
        let scheme = match self.kind {
            Kind::Squid | Kind::Tinyproxy => "http",
            Kind::SquidTls => "https",
            Kind::Microsocks => "socks5h",
        };
        let at = if credentials.is_empty() { "" } else { "@" };
        format!("{scheme}://{credentials}{at}{}", self.address)
    }

    /// The certificate of a [`Kind::SquidTls`], as PEM.
    ///
    /// # Errors
    /// When there is none.
    pub fn certificate(&self) -> anyhow::Result<Vec<u8>> {
        fs::read(self.folder.path().join("cert.pem")).context("the proxy has no certificate")
    }

    /// Waits until it takes a connection.
    async fn listens(&mut self) -> anyhow::Result<()> {
        let by = Instant::now() + START_TIME;
        while TcpStream::connect(self.address).await.is_err() {
            let told = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            self.program.still_runs().with_context(told)?;
            if Instant::now() > by {
                bail!("{:?} does not listen after {START_TIME:?}: {}", self.kind, told());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn squid(kind: Kind, address: SocketAddr, login: bool, folder: &Folder) -> anyhow::Result<Command> {
    let here = folder.path().display();
    let port = match kind {
        Kind::SquidTls => {
            folder.certificate()?;
            format!("https_port {address} tls-cert={here}/cert.pem tls-key={here}/key.pem")
        }
        _ => format!("http_port {address}"),
    };
    let rules = match login {
        true => format!(
            "auth_param basic program {} {here}/users\nauth_param basic realm conformance\n\
             acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all",
            setting("DUPLEXER_SQUID_LOGIN", CHORE)?
        ),
        false => "acl discard port 9\nhttp_access deny discard\nhttp_access allow all".to_owned(),
    };
    // hello:world, as `openssl passwd -apr1` writes it.
    folder.write("users", &format!("{USER}:$apr1$dplxr$CSqdC9nc8Cp6F8y17/x0c1\n"))?;
    let config = folder.write(
        "squid.conf",
        &format!(
            "{port}\n{rules}\naccess_log none\ncache_log /dev/null\ncache deny all\npid_filename none\n\
             netdb_filename none\npinger_enable off\nshutdown_lifetime 0 seconds\n\
             visible_hostname proxy.example\n"
        ),
    )?;
    let mut command = Command::new(setting("DUPLEXER_SQUID", CHORE)?);
    command.args(["-N", "-d", "1", "-f"]).arg(config).current_dir(folder.path());
    Ok(command)
}

fn tinyproxy(address: SocketAddr, login: bool, folder: &Folder) -> anyhow::Result<Command> {
    let login = if login { format!("BasicAuth {USER} {PASSWORD}\n") } else { String::new() };
    let config = format!(
        "Port {}\nListen {}\nTimeout 60\nAllow 127.0.0.1\n{login}",
        address.port(),
        address.ip()
    );
    let mut command = Command::new(setting("DUPLEXER_TINYPROXY", CHORE)?);
    command.arg("-d").arg("-c").arg(folder.write("tinyproxy.conf", &config)?);
    Ok(command)
}

fn microsocks(address: SocketAddr, login: bool) -> anyhow::Result<Command> {
    let mut command = Command::new(setting("DUPLEXER_MICROSOCKS", CHORE)?);
    command.args(["-i", &address.ip().to_string(), "-p", &address.port().to_string()]);
    if login {
        command.args(["-u", USER, "-P", PASSWORD]);
    }
    Ok(command)
}

/// An address of the loopback interface where nobody listens.
///
/// # Errors
/// When there is none left.
pub async fn nobody() -> anyhow::Result<SocketAddr> {
    let (listener, address) = listener().await?;
    drop(listener);
    anyhow::ensure!(address.ip() == Ipv4Addr::LOCALHOST);
    Ok(address)
}

/// Who may log in at a proxy that wants it.
pub const USER: &str = "hello";
/// With which password.
pub const PASSWORD: &str = "world";

const CHORE: &str = "interop proxies";
const START_TIME: Duration = Duration::from_secs(30);
