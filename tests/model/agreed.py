"""Predictions for what is ours: dry runs, changed holds, what is scheduled, batches that go on, keys."""
import rules
from making import asked_rows, funds, post
from rows import Draft, Late, Outcome, Row, ident
from rules import Refusal

SHOWN = {"credit_balance": "credit", "debit_balance": "debit", "inflight_debit_balance": "held_debit", "inflight_credit_balance": "held_credit"}


def told(prefix, figures):
    """Figures of a dry run: text."""
    told = {f"{prefix}_{name}": str(getattr(figures, field)) for name, field in SHOWN.items()}
    return told | {f"{prefix}_balance": str(figures.credit - figures.debit), f"{prefix}_available": str(figures.available())}


class Agreed:
    """A part of Books."""

    # -- dry runs of plain transactions (section 6) ------------------------------------------------------------------------
    def dry_run(self, request):
        body, before, after = request.body, Draft(self), Draft(self)
        rules.fields(body)
        rows = asked_rows(body | {"skip_queue": True}, Late(), ())
        sides = [before.resolve(name, body["currency"]) for name in (body["source"], body["destination"])]
        if None in sides:
            raise Refusal(404, "TXN_NOT_FOUND")
        fields = {"dry_run": True, "would_apply": True, "reference": body["reference"], "currency": body["currency"],
                  "precise_amount": str(rows[0].amount), "status": rows[0].status}
        try:
            if before.row_with(body["reference"]):
                raise Refusal(409, "TXN_DUPLICATE_REFERENCE")
            post(after, rows, body)
        except Refusal as no:
            after, code = before, "TXN_VALIDATION_ERROR" if no.code == "GEN_CONFLICT" else no.code
            fields |= {"would_apply": False, "rejection.code": code, "status": None}
        for at, (role, side, name) in enumerate(zip(("source", "destination"), sides, (body["source"], body["destination"]))):
            new = isinstance(side, Late)
            then = after.balance(after.resolve(name, body["currency"]))
            fields |= {f"balances.{at}.{key}": value for key, value in ({"role": role, "balance_id": name if new else side}
                       | ({"virtual": True} if new else {}) | told("current", before.balance(side)) | told("resulting", then)).items()}
        return Outcome(200, None, fields)

    # -- PATCH /transactions/inflight/{id} ---------------------------------------------------------------------------------
    def change_hold(self, request):
        body, holds = request.body, self.holds.get(request.target, [])
        if body["precise_amount"] <= 0:
            raise Refusal(400, "TXN_INVALID_AMOUNT")
        if not holds:
            raise Refusal(400, "TXN_NOT_INFLIGHT") if request.target in self.known else Refusal(404, "TXN_NOT_FOUND")
        if len(holds) > 1:
            raise Refusal(400, "TXN_VALIDATION_ERROR")
        hold = holds[0]
        if hold.ended:
            raise Refusal(409, {"APPLIED": "TXN_ALREADY_COMMITTED", "VOID": "TXN_ALREADY_VOIDED"}[hold.ended])
        more = body["precise_amount"] - hold.left
        if more > 0:
            funds(Draft(self), hold.source, more, hold.terms)
        row = Row(hold, hold.source, hold.destination, abs(more), hold, None, "INFLIGHT" if more >= 0 else "VOID", hold=hold, change=True, inflight=False)
        return Outcome(200, None, {"transaction_id": row, "status": row.status, "precise_amount": row.amount, "parent_transaction": hold}, [row])

    # -- DELETE and PATCH /transactions/scheduled/{id} ---------------------------------------------------------------------
    def waiting(self, target):
        """The timers of what the id stands for, finished ones too."""
        found = [timer for timer in self.timers if timer.kind == "request"
                 and target in {row.id for row in timer.rows} | {ident(whole) for row in timer.rows for whole in row.wholes}]
        if not found:
            if target not in self.known:
                raise Refusal(404, "TXN_NOT_FOUND")
            raise Refusal(409, "GEN_CONFLICT") if target in self.scheduled else Refusal(400, "TXN_VALIDATION_ERROR")
        if any(len(timer.rows) > 1 and target in {row.id for row in timer.rows} for timer in found):
            raise Refusal(400, "TXN_VALIDATION_ERROR")
        open_ones = [timer for timer in found if not timer.done]
        if not open_ones:
            raise Refusal(409, "GEN_CONFLICT")
        return open_ones

    def cancel(self, request):
        timers = self.waiting(request.target)
        rows = [Row(row, row.source, row.destination, row.amount, row, row.reference + "_q", "VOID", request=row, wholes=row.wholes) for timer in timers for row in timer.rows]
        return Outcome(200, None, {"cancelled": len(rows)}, rows, ends=timers)

    def reschedule(self, request):
        timers, due = self.waiting(request.target), request.body["scheduled_for"]
        return Outcome(200, None, {"rescheduled": sum(len(timer.rows) for timer in timers)}, moves=[(timer, due) for timer in timers])

    # -- POST /transactions/bulk with continue_on_error --------------------------------------------------------------------
    def continued(self, request, items, batch, one):
        """`one` makes the rows and timers of an item in the draft, or refuses it."""
        rows, timers, fields, good = [], [], {}, 0
        for at, item in enumerate(items):
            fields[f"results.{at}.index"], fields[f"results.{at}.reference"] = at, item.get("reference", "")
            try:
                made, due = one(item)
            except Refusal as no:
                fields |= {f"results.{at}.status": "failed", f"results.{at}.code": no.code}
                continue
            rows, timers, good = rows + made, timers + due, good + 1
            if made:
                fields[f"results.{at}.status"] = made[0].status
        count = {"batch_id": batch if good else "", "transaction_count": len(items), "succeeded": good, "failed": len(items) - good}
        return Outcome(201, None, count | fields, rows, timers)

    # -- Idempotency-Key ---------------------------------------------------------------------------------------------------
    def keyed(self, request):
        """The first answer again, for the same request with the same key; another one with that key is refused."""
        key, facts = request.heads["Idempotency-Key"], (request.method, request.path, repr(request.body))
        if key in self.keys:
            before, fields = self.keys[key]
            if before != facts:
                raise Refusal(409, "GEN_CONFLICT")
            return Outcome(201, None, fields, heads={"Idempotent-Replayed": "true"})
        outcome = self.post(request)
        if outcome.status < 300:  # what was refused leaves no key
            outcome.key = {key: (facts, outcome.fields)}
        return outcome
