//! `switchback admin`: one operation on the data directory, whether a server is running or not.
//!
//! The result goes to standard output, the secret alone on the last line; the rest is for people and
//! goes to standard error.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use switchback_core::wire::{Role, User};
use switchback_core::{DisplayName, Handle, Label};
use switchback_server::secrets;
use switchback_storage::{Error, NewUser, OpenMode, Store};

use crate::cli::{AdminCommand, CreateTokenArgs, CreateUserArgs, DataArgs, ResetPasswordArgs, RoleArg};
use crate::password::new_password;
use crate::settings::Settings;

pub(crate) async fn run(command: AdminCommand) -> Result<ExitCode> {
    match command {
        AdminCommand::CreateUser(args) => create_user(args).await?,
        AdminCommand::CreateToken(args) => create_token(args).await?,
        AdminCommand::ResetPassword(args) => reset_password(args).await?,
        AdminCommand::SetupLink(args) => setup_link(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create_user(args: CreateUserArgs) -> Result<()> {
    let name = match args.name {
        Some(name) => name,
        None => DisplayName::new(args.handle.as_str()).context("--name")?,
    };
    let password = new_password(args.password_stdin)?;
    let password_hash = secrets::hash_password(&password)?;
    let new = NewUser { handle: args.handle, name, role: args.role.into(), password_hash };
    let store = open(&args.data).await?;
    let user = store.create_user(new).await.context("the account was not made");
    store.close().await;
    let user = user?;
    tell(&format!("@{} ({}) is {} now", user.handle, user.name, role_name(user.role)));
    Ok(())
}

async fn create_token(args: CreateTokenArgs) -> Result<()> {
    let label = Label::new(&args.label).context("--label")?;
    let secret = secrets::new_secret();
    let store = open(&args.data).await?;
    let made = async {
        let user = find(&store, &args.user).await?;
        if !user.active {
            bail!("@{} is deactivated", user.handle);
        }
        store
            .create_token(user.id, secret.hash, label.as_str().to_owned())
            .await
            .context("the token was not made")?;
        Ok::<_, anyhow::Error>(user)
    };
    let user = made.await;
    store.close().await;
    tell(&format!("A token of @{}; it is shown only this once:", user?.handle));
    print(&secret.text)
}

async fn reset_password(args: ResetPasswordArgs) -> Result<()> {
    let store = open(&args.data).await?;
    let reset = async {
        let user = find(&store, &args.user).await?;
        let password_hash = secrets::hash_password(&new_password(args.password_stdin)?)?;
        store.set_password(user.id, password_hash, None).await.context("the password was not changed")
    };
    let reset = reset.await;
    store.close().await;
    reset?;
    tell(&format!("@{} has another password now and is signed out everywhere", args.user));
    Ok(())
}

async fn setup_link(args: &DataArgs) -> Result<()> {
    let server = Settings::of_admin(args)?.server;
    let secret = secrets::new_secret();
    let store = open(args).await?;
    let set = store.set_setup_secret(secret.hash).await;
    store.close().await;
    match set {
        Ok(()) => {}
        Err(Error::Gone(_)) => bail!(
            "this workspace has an owner; to get back in, use `switchback admin reset-password --user HANDLE`"
        ),
        Err(error) => return Err(error).context("the link was not made"),
    }
    let base = server.public_url.unwrap_or_else(|| format!("http://{}", server.listen));
    tell("Open this address once to become the owner; an earlier one no longer works:");
    print(&format!("{}/setup/{}", base.trim_end_matches('/'), secret.text))
}

async fn open(args: &DataArgs) -> Result<Store> {
    Ok(Store::open_database(&Settings::of_admin(args)?.database, OpenMode::Admin).await?)
}

async fn find(store: &Store, handle: &Handle) -> Result<User> {
    let found = store.users_by_handle(std::slice::from_ref(handle)).await?;
    found.into_iter().next().ok_or_else(|| anyhow!("nobody here has the handle @{handle}"))
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Member => "a member",
        Role::Admin => "an admin",
        Role::Owner => "an owner",
    }
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Member => Self::Member,
            RoleArg::Admin => Self::Admin,
            RoleArg::Owner => Self::Owner,
        }
    }
}

fn tell(line: &str) {
    // Nobody to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn print(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output is closed")
}
