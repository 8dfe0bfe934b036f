//! Routes, in process: one file a route, and others for what all of them share.

#[path = "support/server.rs"]
mod support;

#[path = "support/books.rs"]
mod books;

#[path = "routes"]
mod routes {
    // What all share.
    mod body;
    mod dry_run;
    mod dry_run_lineage;
    mod filters;
    mod idempotency;
    mod limits;
    mod long_records;
    mod malformed;
    mod platform;
    mod unavailable;
    mod wholes;

    mod docs;
    mod scrub;
    mod service;
    mod accounts {
        mod filter;
        mod generated;
        mod get;
        mod mocked;
        mod post;
        mod id {
            mod get;
        }
    }
    mod ledgers {
        mod get;
        mod post;
        mod id {
            mod closings;
            mod get;
            mod put;
            mod statement {
                mod get;
            }
        }
    }
    pub mod balances {
        mod aggregate;
        mod get;
        mod indicator;
        mod post;
        mod alias {
            mod get;
        }
        mod snapshots;
        pub mod id {
            mod alias {
                mod put;
            }
            mod assertions;
            mod get;
            mod identity {
                mod put;
            }
            mod at {
                mod get;
            }
            mod statement {
                mod broken_off;
                mod forms;
                mod get;
                mod pending;
            }
            pub mod lineage {
                pub mod get;
            }
            mod policy {
                mod delete;
                mod get;
                mod put;
            }
        }
    }
    mod balance_monitors {
        mod get;
        mod post;
        mod id {
            mod put;
        }
    }
    mod reports {
        mod safeguarding;
        mod trial_balance;
    }
    mod currencies {
        mod code {
            mod get;
        }
        mod get;
        mod post;
    }
    mod events {
        mod get;
        mod monitors;
    }
    mod id {
        mod metadata;
    }
    mod identities {
        mod get;
        mod post;
        mod id {
            mod delete;
            mod detokenize {
                mod get;
            }
            mod get;
            mod statement {
                mod get;
            }
            mod put;
            mod reveals {
                mod get;
            }
            mod tokenize {
                pub mod post;
            }
        }
    }
    mod transactions {
        mod get;
        mod post;
        mod bulk {
            mod dry_run;
            mod post;
            mod post_continue;
            mod id {
                mod get;
            }
        }
        mod dry_run;
        mod id {
            mod get;
            mod lineage {
                mod get;
            }
        }
        mod inflight {
            mod bulk {
                mod commit {
                    mod post;
                }
                mod void {
                    mod post;
                }
            }
            mod dry_run;
            mod id {
                mod get;
                mod patch;
                mod put;
            }
        }
        mod post_amounts;
        mod post_currency;
        mod post_dates;
        mod post_limits;
        mod post_split;
        mod recover {
            mod post;
        }
        mod reference {
            mod get;
        }
        mod scheduled {
            mod id {
                mod delete;
                mod get;
                mod patch;
            }
        }
    }
    mod exchanges {
        mod dry_run;
        mod post;
        mod post_refusals;
    }
    mod proofs {
        mod get;
        mod schedule;
    }
    mod refund_transaction {
        mod dry_run;
        mod post;
        mod post_part;
    }
}
