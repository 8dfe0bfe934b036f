//! Accounts are where they were after a clean stop, after a crash, and when everything but the journal is deleted; and a number
//! that was given stays given.

mod support {
    pub mod harness;
}

use engine::answer::Answer;
use engine::engine::Engine;
use journal::disk::{MemoryDisk, RealDisk};
use ledger::accounts::Account;
use ledger::command::{Allocation, Command, CreateAccount, CreateBalance, CreateIdentity};
use ledger::id::{Id, Prefix};
use ledger::identity::Detail;
use ledger::rejection::Rejection;
use ledger::state::GENERAL_LEDGER_ID;
use support::harness::{Scratch, look, open, submit, verified};

fn made(answer: Answer) -> u32 {
    match answer {
        Answer::Made { handle, .. } => handle,
        other => panic!("wanted something that was made, got {other:?}"),
    }
}

/// An identity and a balance of it.
fn owned_balance(engine: &Engine) -> (String, Id) {
    let identity = made(submit(
        engine,
        Command::CreateIdentity(CreateIdentity {
            id: String::new(),
            detail: Detail::Plain("{\"first_name\":\"Ada\"}".into()),
        }),
    ));
    let owner = look(engine, move |view| view.state.identity_text(identity)).expect("the engine answers");
    let balance = made(submit(
        engine,
        Command::CreateBalance(CreateBalance {
            ledger: GENERAL_LEDGER_ID.into(),
            currency: "USD".into(),
            identity: owner.clone(),
            indicator: String::new(),
            metadata: String::new(),
            track_fund_lineage: false,
            allocation: Allocation::Fifo,
            alias: String::new(),
            lineage_label: String::new(),
        }),
    ));
    (owner, look(engine, move |view| view.state.balance_id(balance)).expect("the engine answers"))
}

fn account(balance: Id, number: &str) -> Command {
    Command::CreateAccount(CreateAccount {
        balance,
        identity: String::new(),
        number: number.into(),
        bank: "First Bank".into(),
        metadata: "{\"k\":1}".into(),
    })
}

/// All accounts, with their ids; and that each is found by its id and its number.
fn accounts(engine: &Engine) -> Vec<(String, Account)> {
    let found = look(engine, |view| {
        let accounts = &view.state.accounts;
        let mut all = Vec::new();
        for (handle, account) in (0u32..).zip(accounts.iter()) {
            let id = account.id(handle).text(Prefix::Account);
            assert_eq!(accounts.find(&id), Some(handle));
            assert_eq!(accounts.find_number(&account.number), Some(handle));
            all.push((id, account.clone()));
        }
        assert_eq!(accounts.owned_by(0) as usize, all.len());
        all
    });
    found.expect("the engine answers")
}

fn refused_twice(engine: &Engine, balance: Id) {
    for number in ["0123", ""] {
        let again = submit(engine, account(balance, number));
        let is_taken = matches!(&again, Answer::Refused(refused) if refused.rejection == Rejection::AccountNumberTaken);
        assert!(is_taken, "{number:?}: {again:?}");
    }
}

#[test]
fn accounts_outlive_a_clean_stop_and_the_loss_of_what_is_derived() {
    let folder = Scratch::new();
    let disk = RealDisk::new();
    let engine = open(&disk, &folder);
    let (_, balance) = owned_balance(&engine);
    for number in ["0123", "", "77"] {
        made(submit(&engine, account(balance, number)));
    }
    refused_twice(&engine, balance);
    let before = accounts(&engine);
    assert_eq!(before.len(), 3);
    engine.close();
    drop(engine);
    for delete in [false, true] {
        if delete {
            for name in ["tables", "references", "children", "checkpoints"] {
                std::fs::remove_dir_all(folder.0.join(name)).expect("it was made");
            }
        }
        let engine = open(&disk, &folder);
        assert_eq!(engine.started().replayed_records > 0, delete, "a clean stop leaves nothing to replay");
        assert_eq!(accounts(&engine), before);
        refused_twice(&engine, balance);
        engine.close();
    }
    assert_eq!(verified(&disk, &folder).problems, []);
}

#[test]
fn an_account_that_was_answered_outlives_a_crash() {
    let folder = Scratch::new();
    let disk = MemoryDisk::new();
    let engine = open(&disk, &folder);
    let (_, balance) = owned_balance(&engine);
    for number in ["0123", ""] {
        made(submit(&engine, account(balance, number)));
    }
    let before = accounts(&engine);
    let left = disk.crash(7);
    drop(engine);
    let engine = open(&left, &folder);
    assert_eq!(accounts(&engine), before);
    refused_twice(&engine, balance);
}
