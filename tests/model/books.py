"""The ledger once more, as small as it can be: rows, figures of balances, and what a request does to them.

`predict` says what the answer will be and which rows it leaves, and changes nothing; `apply` takes what was predicted into the books.
"""
import rules
from agreed import Agreed
from making import draft_status, enqueue, executed, funds, hold_dates, record, refunding, repeated, settling, wanted
from rows import Draft, Figures, Late, Outcome, ident, move, shown
from rules import Refusal

SETTLED = {"APPLIED": "TXN_ALREADY_COMMITTED", "VOID": "TXN_ALREADY_VOIDED"}
WORSE = ("TXN_ALREADY_COMMITTED", "TXN_ALREADY_VOIDED", "TXN_COMMIT_AMOUNT_EXCEEDED")  # of several holds: section 15


class Books(Agreed):
    def __init__(self):
        self.balances, self.indicators, self.rows, self.references = {}, {}, {}, {}
        self.holds, self.posted, self.known, self.timers, self.keys, self.scheduled = {}, {}, set(), [], {}, set()

    # -- what a draft asks ------------------------------------------------------------------------------------------------
    def balance(self, key):
        return self.balances.get(key)

    def find(self, name, currency):
        return self.indicators.get((name, currency))

    def row_with(self, reference):
        return self.references.get(reference)

    def predict(self, request):
        try:
            return getattr(self, request.rule)(request)
        except Refusal as refusal:
            return Outcome(refusal.status, refusal.code)

    # -- POST /transactions -----------------------------------------------------------------------------------------------
    def post(self, request):
        body, draft = request.body, Draft(self)
        rules.fields(body)
        whole = Late()
        if body.get("skip_queue"):
            rows = record(draft, body, whole)
            timers = hold_dates(body, rows)
        else:
            rows, timers = enqueue(draft, [(body, whole, ())], False)[:2]
            if not rows:
                return Outcome(201, None, {"transaction_id": repeated(draft, body), "status": draft_status(body)})
        status = ("INFLIGHT" if body.get("inflight") else "APPLIED") if body.get("skip_queue") else draft_status(body)
        split = len(rules.names(body, "source")) > 1 or "sources" in body or "destinations" in body
        precise = rules.total_of(body)
        answer = {"transaction_id": whole if split else rows[0], "status": status, "reference": body["reference"], "precise_amount": precise,
                  "amount": body.get("amount") or rules.major(precise, rules.precision_of(body)), "precision": rules.precision_of(body),
                  "currency": body["currency"], "parent_transaction": "", "inflight": bool(body.get("inflight"))}
        if body.get("skip_queue") and not split:
            answer |= {"source": rows[0].source, "destination": rows[0].destination}
        return Outcome(201, None, answer, rows, timers)

    # -- POST /transactions/bulk ------------------------------------------------------------------------------------------
    def bulk(self, request):
        asked, draft, batch, rows, timers = request.body, Draft(self), Late(), [], []
        if not asked["transactions"]:
            raise Refusal(400, "TXN_BULK_EMPTY")
        flags = {key: asked.get(key, False) for key in ("inflight", "skip_queue")}
        items = [item | flags for item in asked["transactions"]]
        for item in () if asked.get("continue_on_error") else items:
            self.check_item(item)
        count = {"batch_id": batch, "status": "inflight" if asked.get("inflight") else "applied", "transaction_count": len(items)}
        if asked.get("continue_on_error"):
            if asked.get("atomic"):
                raise Refusal(400, "TXN_VALIDATION_ERROR")
            return self.continued(request, items, batch, lambda item: self.check_item(item) or self.bulk_item(draft, item, batch))
        refusal = None
        try:
            if asked.get("atomic"):  # whether parts make a whole is seen before any item is recorded
                for item in items:
                    rules.legs_of(item)
            if asked.get("atomic") and not asked.get("skip_queue"):
                rows, timers, _ = enqueue(draft, [(item, Late(), (batch,)) for item in items], True)
            else:
                for item in items:
                    made, due = self.bulk_item(draft, item, batch)
                    rows, timers = rows + made, timers + due
        except Refusal as no:
            refusal = Outcome(no.status, "GEN_BAD_REQUEST" if no.code == "TXN_VALIDATION_ERROR" else no.code, {"error_detail.details.batch_id": batch})
        if refusal is None:
            return Outcome(201, None, count, rows, timers)
        if not asked.get("atomic"):
            refusal.rows, refusal.timers = rows, timers
        return refusal

    def check_item(self, item):
        rules.fields(item)

    def bulk_item(self, draft, item, batch):
        if item.get("skip_queue"):
            rows = record(draft, item, Late(), (batch,))
            return rows, hold_dates(item, rows)
        return enqueue(draft, [(item, Late(), (batch,))], False)[:2]

    # -- PUT /transactions/inflight/{id} ----------------------------------------------------------------------------------
    def settle(self, request):
        body, target = request.body, request.target
        rows = self.settlement(target, body)
        if body.get("skip_queue"):
            return Outcome(200, None, {"transaction_id": rows[0], "status": rows[0].status, "parent_transaction": rows[0].parent,
                                       "precise_amount": rows[0].amount, "reference": "ref_*"}, rows)
        status = "INFLIGHT" if target not in self.rows or self.rows[target].status == "INFLIGHT" else "QUEUED"
        if target in self.rows and self.rows[target].status == "SCHEDULED":
            status = "SCHEDULED"
        answer = {"transaction_id": target, "status": status, "queued": True}
        return Outcome(200, None, answer, rows)

    def settlement(self, target, body):
        if body["status"] not in ("commit", "void"):
            raise Refusal(400, "TXN_INVALID_STATUS_ACTION")
        precise = body.get("precise_amount")
        if precise is not None and precise <= 0:
            raise Refusal(400, "TXN_INVALID_AMOUNT")
        holds = self.holds.get(target, [])
        if not holds:
            at_once = body.get("skip_queue") or target in self.known
            raise Refusal(400, "TXN_NOT_INFLIGHT") if at_once else Refusal(404, "TXN_NOT_FOUND")
        amount = None
        if body["status"] == "commit":
            amount = precise if precise is not None else wanted(body.get("amount"), holds[0].precision)
        passes = not body.get("skip_queue") and target not in self.rows
        return self.settled(holds, body["status"], amount, body.get("allow_over_capture", False), passes)

    def settled(self, holds, action, amount, beyond=False, passes=False):
        """`passes`: in the queue what of a whole has ended is passed over, as long as something is open (7.4)."""
        if beyond and action == "commit" and len(holds) > 1:
            raise Refusal(400, "TXN_VALIDATION_ERROR")
        if passes and not all(hold.ended for hold in holds):
            holds = [hold for hold in holds if not hold.ended]
        wrong, rows = [], []
        for hold in reversed(holds):
            if hold.ended:
                wrong.append(SETTLED[hold.ended])
            elif amount is not None and amount > hold.left and not (beyond and len(holds) == 1):
                wrong.append("TXN_COMMIT_AMOUNT_EXCEEDED")
            else:
                rows.append(settling(hold, action, hold.left if amount is None else amount))
                if rows[-1].beyond:
                    funds(Draft(self), hold.source, rows[-1].beyond, hold.terms)
        for code in WORSE:
            if code in wrong:
                raise Refusal(400 if code == "TXN_COMMIT_AMOUNT_EXCEEDED" else 409, code)
        return rows

    def settle_item(self, request):
        """One of several in a bulk commit or void: an entry of `results`."""
        item = request.body
        try:
            body = {"status": item["status"], "amount": item.get("amount"), "skip_queue": item.get("skip_queue")}
            if item.get("precise_amount"):
                body["precise_amount"] = item["precise_amount"]
            rows = self.settlement(request.target, body)
        except Refusal as no:
            code = {"TXN_ALREADY_COMMITTED": "ALREADY_COMMITTED", "TXN_ALREADY_VOIDED": "ALREADY_VOIDED", "TXN_NOT_FOUND": "NOT_FOUND", "GEN_BAD_REQUEST": "INTERNAL_ERROR",
                    "TXN_NOT_INFLIGHT": "NOT_INFLIGHT" if request.target in self.known else "NOT_FOUND"}.get(no.code, "INVALID_AMOUNT")
            return Outcome(200, None, {"transaction_id": request.target, "status": "failed", "code": code})
        status = {"status": "succeeded"} if item.get("skip_queue") else {"status": "queued", "code": "QUEUED"}
        return Outcome(200, None, {"transaction_id": request.target} | status, rows)

    # -- POST /refund-transaction/{id} ------------------------------------------------------------------------------------
    def refund(self, request):
        body = request.body or {}
        originals = self.posted.get(request.target, [])
        if not originals:
            raise Refusal(404, "TXN_NOT_FOUND")
        amount = None
        if body.get("precise_amount") is not None or body.get("amount"):
            if len(originals) > 1 or originals[0].status != "APPLIED":
                raise Refusal(400, "TXN_VALIDATION_ERROR")
            amount = body["precise_amount"] if "precise_amount" in body else rules.minor(body["amount"], originals[0].precision)
        if any(row.left == 0 for row in originals):
            raise Refusal(409, "GEN_CONFLICT")
        if amount is not None and not 0 < amount <= originals[0].left:
            raise Refusal(400, "TXN_INVALID_AMOUNT")
        rows = []
        for original in reversed(originals):
            rows += refunding(original, original.left if amount is None else amount, bool(body.get("skip_queue")))
        first = rows[0]
        return Outcome(201, None, {"transaction_id": first, "status": first.status, "parent_transaction": first.parent, "reference": first.reference,
                                   "precise_amount": first.amount, "source": first.source, "destination": first.destination}, rows)

    # -- reads ------------------------------------------------------------------------------------------------------------
    def read_balance(self, request):
        return Outcome(200, None, self.balances[request.target].shown())

    def read_reference(self, request):
        return self.read(self.references.get(request.target))

    def read_row(self, request):
        return self.read(self.rows.get(request.target))

    def read(self, row):
        if row is None:
            raise Refusal(404, "TXN_NOT_FOUND")
        return Outcome(200, None, shown(row))

    # -- what the server does by itself -----------------------------------------------------------------------------------
    def run(self, timer):
        """The rows of a timer that is due; none when there is nothing to do any more."""
        if timer.kind == "request":
            return executed(Draft(self), timer.units)
        return [settling(hold, timer.kind, hold.left) for hold in timer.rows if not hold.ended]

    # -- taking rows in ---------------------------------------------------------------------------------------------------
    def apply(self, outcome):
        for timer in outcome.ends:
            timer.done = True
        for timer, due in outcome.moves:
            timer.due = due
        if outcome.key:
            self.keys |= outcome.key
        self.timers += outcome.timers
        for row in outcome.rows:
            for side in ("source", "destination"):
                key = getattr(row, side)
                if isinstance(key, Late):
                    self.indicators[(key.text, key.currency)] = key.id
                    self.balances.setdefault(key.id, Figures(key.currency))
                    setattr(row, side, key.id)
            if row.status in ("APPLIED", "INFLIGHT") or row.hold:
                move(self.balances[row.source], self.balances[row.destination], row)
            self.rows[row.id] = self.references[row.reference] = row
            self.known |= {row.id} | {ident(whole) for whole in row.wholes}
            self.index(row)
            if row.status == "SCHEDULED":
                self.scheduled |= {row.id} | {ident(whole) for whole in row.wholes}

    def index(self, row):
        wholes = [ident(whole) for whole in row.wholes]
        asked = [row.request.id] if row.request else []
        if row.change:
            row.hold.left += row.amount if row.status == "INFLIGHT" else -row.amount
        elif row.status == "INFLIGHT":
            row.left = row.amount
            for key in [row.id, *asked, *wholes]:
                self.holds.setdefault(key, []).append(row)
        elif row.hold:
            hold = row.hold
            hold.left -= row.amount - row.beyond
            if row.status == "VOID" or hold.left <= 0:
                hold.ended = row.status
            # A void is found by the hold alone; commits of what was queued by all that the queue was asked with (8.2).
            keys = [hold.id]
            if row.status == "APPLIED":
                # The id of a whole stands for the commits of its holds too, queued or not.
                keys += [ident(whole) for whole in hold.wholes] + ([hold.request.id] if hold.request else [])
            for key in keys + ([row.id] if row.status == "APPLIED" else []):
                self.posted.setdefault(key, []).append(row)
        elif row.status == "APPLIED":
            for key in [row.id, *asked, *wholes]:
                self.posted.setdefault(key, []).append(row)
        if row.status in ("APPLIED", "VOID"):
            row.left = row.amount
        if row.original:
            row.original.left -= row.amount
            row.original.refunded += 1
