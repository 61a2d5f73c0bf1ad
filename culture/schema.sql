-- The log: every table and column, with a comment on each. This is the public contract.
--
-- Names and order are those of the dataclasses in culture/records.py; a test holds the two together.
-- Rows of one round are committed together. Order inside a table is the order of rowid.
-- Texts marked untrusted were written by a model or could have been.

CREATE TABLE runs (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    config JSON NOT NULL,
    code_version VARCHAR NOT NULL,
    packages JSON NOT NULL
);
COMMENT ON TABLE runs IS 'One row: the run, its resolved configuration, and the code and packages that it runs on.';
COMMENT ON COLUMN runs.run_id IS 'Identifier of the run, stable across resumes.';
COMMENT ON COLUMN runs.name IS 'Name of the run, as given by whoever started it.';
COMMENT ON COLUMN runs.seed IS 'Seed from which every random stream of the run is derived.';
COMMENT ON COLUMN runs.started_at IS 'When the run was first started, in UTC.';
COMMENT ON COLUMN runs.config IS 'Resolved configuration, as one JSON object, with the length that the run was last given; units are in the configuration''s own documentation.';
COMMENT ON COLUMN runs.code_version IS 'Version of the code: a git commit, or the package version.';
COMMENT ON COLUMN runs.packages IS 'Versions of the installed packages that matter, by name.';

CREATE TABLE rounds (
    round BIGINT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    requested BIGINT NOT NULL,
    proposed BIGINT NOT NULL,
    valid BIGINT NOT NULL,
    duplicate BIGINT NOT NULL,
    admitted BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    correct BIGINT NOT NULL,
    mean_difficulty DOUBLE,
    library_version BIGINT NOT NULL,
    generated_tokens BIGINT NOT NULL,
    trained_tokens BIGINT NOT NULL,
    state JSON NOT NULL,
    request_seconds DOUBLE NOT NULL,
    propose_seconds DOUBLE NOT NULL,
    attempt_seconds DOUBLE NOT NULL,
    judge_seconds DOUBLE NOT NULL,
    write_seconds DOUBLE NOT NULL,
    learn_seconds DOUBLE NOT NULL,
    sleep_seconds DOUBLE NOT NULL,
    evaluate_seconds DOUBLE NOT NULL,
    generating_seconds DOUBLE NOT NULL,
    verifying_seconds DOUBLE NOT NULL,
    training_seconds DOUBLE NOT NULL,
    previous_commit_seconds DOUBLE,
    peak_memory JSON NOT NULL,
    seconds DOUBLE NOT NULL
);
COMMENT ON TABLE rounds IS 'One row a committed round: counts, the state to resume from, and how long each phase took.';
COMMENT ON COLUMN rounds.round IS 'Round number, from 0.';
COMMENT ON COLUMN rounds.started_at IS 'When the round began, in UTC.';
COMMENT ON COLUMN rounds.requested IS 'Problems that the curriculum requested, in problems.';
COMMENT ON COLUMN rounds.proposed IS 'Proposals written or made by mutation, in proposals.';
COMMENT ON COLUMN rounds.valid IS 'Proposals that parsed and executed, in proposals.';
COMMENT ON COLUMN rounds.duplicate IS 'Proposals rejected because the log holds the same problem already, in proposals.';
COMMENT ON COLUMN rounds.admitted IS 'Proposals admitted, in problems.';
COMMENT ON COLUMN rounds.attempts IS 'Attempts made, in attempts.';
COMMENT ON COLUMN rounds.correct IS 'Attempts judged correct, in attempts.';
COMMENT ON COLUMN rounds.mean_difficulty IS 'Mean difficulty of the admitted problems, in the domain''s unit; NULL where none was admitted.';
COMMENT ON COLUMN rounds.library_version IS 'Version of the library at the end of the round.';
COMMENT ON COLUMN rounds.generated_tokens IS 'Completion tokens generated in the round, in tokens.';
COMMENT ON COLUMN rounds.trained_tokens IS 'Tokens trained on in the round, in tokens.';
COMMENT ON COLUMN rounds.state IS 'Strategy and tracker states that a resume needs and no other row holds, as one JSON object.';
COMMENT ON COLUMN rounds.request_seconds IS 'Time in the request phase, in seconds.';
COMMENT ON COLUMN rounds.propose_seconds IS 'Time in the propose phase, in seconds.';
COMMENT ON COLUMN rounds.attempt_seconds IS 'Time in the attempt phase, in seconds.';
COMMENT ON COLUMN rounds.judge_seconds IS 'Time in the judge phase, in seconds.';
COMMENT ON COLUMN rounds.write_seconds IS 'Time in the write phase, in seconds.';
COMMENT ON COLUMN rounds.learn_seconds IS 'Time in the learn phase, in seconds.';
COMMENT ON COLUMN rounds.sleep_seconds IS 'Time in the sleep phase, in seconds.';
COMMENT ON COLUMN rounds.evaluate_seconds IS 'Time in the evaluate phase, in seconds.';
COMMENT ON COLUMN rounds.generating_seconds IS 'Time that the round waited for engines, in any phase, in seconds.';
COMMENT ON COLUMN rounds.verifying_seconds IS 'Time that the round waited for verifiers, in any phase, in seconds.';
COMMENT ON COLUMN rounds.training_seconds IS 'Time that the round waited for the learner, in any phase, in seconds; round 0 includes the warm-up.';
COMMENT ON COLUMN rounds.previous_commit_seconds IS 'Time that committing the round before took, in seconds; NULL in the first round of a process.';
COMMENT ON COLUMN rounds.peak_memory IS 'Largest resident memory so far of each process by its name, in GiB, as one JSON object.';
COMMENT ON COLUMN rounds.seconds IS 'Time from the start of the round to its commit, in seconds.';

CREATE TABLE agents (
    agent_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    roles VARCHAR[] NOT NULL,
    organisation VARCHAR NOT NULL,
    persona VARCHAR NOT NULL,
    policy VARCHAR NOT NULL,
    neighbours VARCHAR[] NOT NULL,
    born BIGINT NOT NULL,
    retired BIGINT,
    hostile VARCHAR
);
COMMENT ON TABLE agents IS 'One row an agent and a round in which it joined, changed or retired; it is as the latest row says.';
COMMENT ON COLUMN agents.agent_id IS 'Identifier of the agent.';
COMMENT ON COLUMN agents.round IS 'Round from whose beginning on the agent is so.';
COMMENT ON COLUMN agents.roles IS 'What it may act as: proposer, solver, editor, judge, teacher.';
COMMENT ON COLUMN agents.organisation IS 'Organisation that it belongs to, whose shelf it shares.';
COMMENT ON COLUMN agents.persona IS 'Who it is, in words; a prompt of spark has no room for it.';
COMMENT ON COLUMN agents.policy IS 'Policy whose weights it acts with; empty for a hostile agent that only writes.';
COMMENT ON COLUMN agents.neighbours IS 'Identifiers of the agents whose shelves the topology lets it see; empty once it has retired.';
COMMENT ON COLUMN agents.born IS 'Round in which it joined.';
COMMENT ON COLUMN agents.retired IS 'Round in which it was there no more; NULL while it is there.';
COMMENT ON COLUMN agents.hostile IS 'How it means to do harm, in a study of that: spam, wrong, inject, copy, ring or poison; NULL where it does not.';

CREATE TABLE policies (
    policy_version VARCHAR NOT NULL,
    policy VARCHAR NOT NULL,
    version BIGINT NOT NULL,
    round BIGINT NOT NULL,
    base VARCHAR NOT NULL,
    parent VARCHAR,
    batch_id VARCHAR,
    path VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    accepted BOOLEAN NOT NULL,
    reason VARCHAR
);
COMMENT ON TABLE policies IS 'One row a version of a policy: where its weights are and what it came of.';
COMMENT ON COLUMN policies.policy_version IS 'Identifier of the version: the policy''s name, an at sign and the version, as in spark@7.';
COMMENT ON COLUMN policies.policy IS 'Name of the policy.';
COMMENT ON COLUMN policies.version IS 'Version number within the policy, from 0.';
COMMENT ON COLUMN policies.round IS 'Round in which the version was made.';
COMMENT ON COLUMN policies.base IS 'Base model that the weights started from: a name or a folder.';
COMMENT ON COLUMN policies.parent IS 'Policy version that it was trained from, or is a copy of where it came of no batch; NULL for the first.';
COMMENT ON COLUMN policies.batch_id IS 'Batch that it was trained on; NULL where it came of none.';
COMMENT ON COLUMN policies.path IS 'Where the weights are, relative to the run''s folder; of older versions only some are kept (learner.keep_every).';
COMMENT ON COLUMN policies.sha256 IS 'SHA-256 of the weights, in hexadecimal.';
COMMENT ON COLUMN policies.accepted IS 'Whether engines may load it; false where the learner refused it.';
COMMENT ON COLUMN policies.reason IS 'Why the learner refused it; NULL where accepted.';

CREATE TABLE problems (
    problem_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    domain VARCHAR NOT NULL,
    request VARCHAR NOT NULL,
    origin VARCHAR NOT NULL,
    target_difficulty DOUBLE,
    parent_id VARCHAR,
    proposer VARCHAR NOT NULL,
    policy_version VARCHAR,
    prompt VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    token_ids INTEGER[] NOT NULL,
    logprobs DOUBLE[] NOT NULL,
    spec VARCHAR,
    answer_key VARCHAR,
    worked VARCHAR[] NOT NULL,
    features JSON NOT NULL,
    difficulty DOUBLE,
    status VARCHAR NOT NULL,
    reason VARCHAR,
    failure_source VARCHAR,
    payment DOUBLE
);
COMMENT ON TABLE problems IS 'One row a proposal, admitted or rejected, with the reason.';
COMMENT ON COLUMN problems.problem_id IS 'Identifier of the problem.';
COMMENT ON COLUMN problems.round IS 'Round in which it was proposed.';
COMMENT ON COLUMN problems.domain IS 'Domain by name.';
COMMENT ON COLUMN problems.request IS 'What the curriculum asked for: fresh or mutate (a replay makes no new problem).';
COMMENT ON COLUMN problems.origin IS 'Who wrote the text: policy (sampled), mutation (the domain''s operator), club (a book club), scripted.';
COMMENT ON COLUMN problems.target_difficulty IS 'Difficulty asked for, in the domain''s unit; NULL where none was.';
COMMENT ON COLUMN problems.parent_id IS 'Problem that it is a mutation of; NULL where fresh.';
COMMENT ON COLUMN problems.proposer IS 'Agent that proposed it.';
COMMENT ON COLUMN problems.policy_version IS 'Policy version that wrote the text; NULL where no policy did.';
COMMENT ON COLUMN problems.prompt IS 'Prompt that the proposer saw.';
COMMENT ON COLUMN problems.text IS 'The proposal as written, untrusted.';
COMMENT ON COLUMN problems.token_ids IS 'Token ids of the text, in the policy''s vocabulary.';
COMMENT ON COLUMN problems.logprobs IS 'Log-probabilities of those tokens under the policy that sampled them, in nats.';
COMMENT ON COLUMN problems.spec IS 'Canonical machine-checkable form; NULL where the text did not parse. Two of them may be one problem (Domain.identity), of which the second is a duplicate.';
COMMENT ON COLUMN problems.answer_key IS 'Answer by execution, in canonical form; NULL where it did not execute.';
COMMENT ON COLUMN problems.worked IS 'Intermediate values by execution, the answer key last; empty where it did not execute.';
COMMENT ON COLUMN problems.features IS 'Complexity features by name, as one JSON object: operations, length, steps and the domain''s own.';
COMMENT ON COLUMN problems.difficulty IS 'The domain''s scalar complexity, in the domain''s unit; NULL where it did not execute.';
COMMENT ON COLUMN problems.status IS 'admitted or rejected.';
COMMENT ON COLUMN problems.reason IS 'Why it was rejected (invalid:..., duplicate, anchor, over_context, error:...); NULL where admitted.';
COMMENT ON COLUMN problems.failure_source IS 'To whom the failure is attributed; NULL where there was none.';
COMMENT ON COLUMN problems.payment IS 'What the strategy paid the proposer, in units of reward; NULL until the problem was attempted.';

CREATE TABLE attempts (
    attempt_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    problem_id VARCHAR NOT NULL,
    domain VARCHAR NOT NULL,
    solver VARCHAR NOT NULL,
    policy_version VARCHAR NOT NULL,
    library_version BIGINT NOT NULL,
    arm VARCHAR NOT NULL,
    dose BIGINT NOT NULL,
    form VARCHAR NOT NULL,
    replay BOOLEAN NOT NULL,
    prompt VARCHAR NOT NULL,
    completion VARCHAR NOT NULL,
    token_ids INTEGER[] NOT NULL,
    logprobs DOUBLE[] NOT NULL,
    turns BIGINT NOT NULL,
    answer VARCHAR,
    verdict VARCHAR NOT NULL,
    correct BOOLEAN NOT NULL,
    reward DOUBLE NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    failure_source VARCHAR,
    failure VARCHAR
);
COMMENT ON TABLE attempts IS 'One row an attempt: one solver''s try at one problem.';
COMMENT ON COLUMN attempts.attempt_id IS 'Identifier of the attempt.';
COMMENT ON COLUMN attempts.round IS 'Round in which it was made.';
COMMENT ON COLUMN attempts.problem_id IS 'Problem attempted.';
COMMENT ON COLUMN attempts.domain IS 'Domain by name.';
COMMENT ON COLUMN attempts.solver IS 'Agent that attempted it.';
COMMENT ON COLUMN attempts.policy_version IS 'Policy version that wrote the completion.';
COMMENT ON COLUMN attempts.library_version IS 'Version of the library that the attempt could read.';
COMMENT ON COLUMN attempts.arm IS 'Arm that it was assigned at random: library, none, placebo or shuffled (notes that another problem finds).';
COMMENT ON COLUMN attempts.dose IS 'Most notes that it was assigned to be shown, in notes; 0 in the arm none.';
COMMENT ON COLUMN attempts.form IS 'Form of the prompt: terse or natural.';
COMMENT ON COLUMN attempts.replay IS 'Whether the problem is from an earlier round.';
COMMENT ON COLUMN attempts.prompt IS 'Prompt that the solver saw, notes included; of several turns the last, the others are in actions.';
COMMENT ON COLUMN attempts.completion IS 'What it wrote, untrusted; of several turns in the last.';
COMMENT ON COLUMN attempts.token_ids IS 'Token ids of the completion, in the policy''s vocabulary.';
COMMENT ON COLUMN attempts.logprobs IS 'Log-probabilities of those tokens under the policy that sampled them, in nats.';
COMMENT ON COLUMN attempts.turns IS 'Turns that the episode took, in turns.';
COMMENT ON COLUMN attempts.answer IS 'Canonical answer read from the completion; NULL where there was none to read.';
COMMENT ON COLUMN attempts.verdict IS 'correct, wrong, malformed or error.';
COMMENT ON COLUMN attempts.correct IS 'Whether the answer was right.';
COMMENT ON COLUMN attempts.reward IS 'Reward of the episode, in units of reward; 1 is a full solution.';
COMMENT ON COLUMN attempts.prompt_tokens IS 'Length of the prompt, in tokens.';
COMMENT ON COLUMN attempts.failure_source IS 'To whom the failure is attributed; NULL where there was none.';
COMMENT ON COLUMN attempts.failure IS 'What failed; NULL where nothing did.';

CREATE TABLE actions (
    attempt_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    turn BIGINT NOT NULL,
    prompt VARCHAR NOT NULL,
    completion VARCHAR NOT NULL,
    token_ids INTEGER[] NOT NULL,
    logprobs DOUBLE[] NOT NULL,
    lookup BOOLEAN NOT NULL,
    opponent BOOLEAN NOT NULL
);
COMMENT ON TABLE actions IS 'One row a completion of an attempt of several turns that was not its solver''s last: that is in attempts.';
COMMENT ON COLUMN actions.attempt_id IS 'Attempt that it is of.';
COMMENT ON COLUMN actions.round IS 'Round of the attempt.';
COMMENT ON COLUMN actions.turn IS 'Place in the attempt, from 0.';
COMMENT ON COLUMN actions.prompt IS 'Prompt that the solver saw in that turn, notes included.';
COMMENT ON COLUMN actions.completion IS 'What it wrote, untrusted.';
COMMENT ON COLUMN actions.token_ids IS 'Token ids of the completion, in the policy''s vocabulary.';
COMMENT ON COLUMN actions.logprobs IS 'Log-probabilities of those tokens under the policy that sampled them, in nats.';
COMMENT ON COLUMN actions.lookup IS 'Whether it searched the library rather than to act on the problem.';
COMMENT ON COLUMN actions.opponent IS 'Whether it is a move of the solver''s opponent, in a game of two; whose it is is in matches.';

CREATE TABLE reads (
    attempt_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    reader VARCHAR NOT NULL,
    note_id VARCHAR NOT NULL,
    revision_id VARCHAR NOT NULL,
    arm VARCHAR NOT NULL,
    rank BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    explored BOOLEAN NOT NULL
);
COMMENT ON TABLE reads IS 'One row a note revision shown to one attempt.';
COMMENT ON COLUMN reads.attempt_id IS 'Attempt that it was shown to.';
COMMENT ON COLUMN reads.round IS 'Round of the attempt.';
COMMENT ON COLUMN reads.reader IS 'Agent that read it.';
COMMENT ON COLUMN reads.note_id IS 'Note shown.';
COMMENT ON COLUMN reads.revision_id IS 'Revision of that note whose text was shown.';
COMMENT ON COLUMN reads.arm IS 'Arm of the attempt: library, placebo or shuffled.';
COMMENT ON COLUMN reads.rank IS 'Place in what retrieval returned, from 0, the best first.';
COMMENT ON COLUMN reads.tokens IS 'Length of what was shown, in tokens.';
COMMENT ON COLUMN reads.explored IS 'Whether exploration gave it the place of a better match, so that a note with few reads is read (library.exploration).';

CREATE TABLE notes (
    note_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    domain VARCHAR NOT NULL,
    shelf VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    author VARCHAR NOT NULL
);
COMMENT ON TABLE notes IS 'One row a note: its identity; its text is in its revisions.';
COMMENT ON COLUMN notes.note_id IS 'Identifier of the note.';
COMMENT ON COLUMN notes.round IS 'Round in which it was begun.';
COMMENT ON COLUMN notes.kind IS 'example, strategy, lesson, book (an outline), chapter, review, dispute or discussion.';
COMMENT ON COLUMN notes.domain IS 'Domain that it is about.';
COMMENT ON COLUMN notes.shelf IS 'Shelf that it was begun on: an agent''s, an organisation''s, or public. Where it was published to since is in its revisions, and in library_at.';
COMMENT ON COLUMN notes.title IS 'Title, untrusted.';
COMMENT ON COLUMN notes.author IS 'Agent that began it.';

CREATE TABLE revisions (
    revision_id VARCHAR NOT NULL,
    note_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    author VARCHAR NOT NULL,
    policy_version VARCHAR,
    parents VARCHAR[] NOT NULL,
    outcome VARCHAR NOT NULL,
    body VARCHAR NOT NULL,
    tokens BIGINT NOT NULL,
    evidence JSON NOT NULL,
    library_version BIGINT NOT NULL
);
COMMENT ON TABLE revisions IS 'One row a revision: one immutable text of a note.';
COMMENT ON COLUMN revisions.revision_id IS 'Identifier of the revision.';
COMMENT ON COLUMN revisions.note_id IS 'Note that it is a text of.';
COMMENT ON COLUMN revisions.round IS 'Round in which it was written.';
COMMENT ON COLUMN revisions.author IS 'Agent that wrote it.';
COMMENT ON COLUMN revisions.policy_version IS 'Policy version that wrote it; NULL where no policy did.';
COMMENT ON COLUMN revisions.parents IS 'Revisions that it was made from: none for a first text, two for a merge.';
COMMENT ON COLUMN revisions.outcome IS 'What the write did: head (the new head), merged or branch (the base had moved), archived (a marker: out of sight until its next head), quarantined (a marker: out of sight until its next head that a re-check confirmed) or published (a marker: on another shelf, the text is its head''s).';
COMMENT ON COLUMN revisions.body IS 'Text, untrusted.';
COMMENT ON COLUMN revisions.tokens IS 'Length of the body, in tokens.';
COMMENT ON COLUMN revisions.evidence IS 'What supports it, as one JSON object; recheck is what execution said of the text, held why a text is kept from readers, reason why a note is in quarantine; of a published one from and shelf: where the note was and is; why, what an agent said that archived or published it.';
COMMENT ON COLUMN revisions.library_version IS 'Version of the library that this write made.';

CREATE TABLE citations (
    revision_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    target_kind VARCHAR NOT NULL,
    target_id VARCHAR NOT NULL
);
COMMENT ON TABLE citations IS 'One row a thing that a revision refers to.';
COMMENT ON COLUMN citations.revision_id IS 'Revision that cites.';
COMMENT ON COLUMN citations.round IS 'Round in which the revision was written.';
COMMENT ON COLUMN citations.target_kind IS 'Kind of the thing cited: note, problem or attempt.';
COMMENT ON COLUMN citations.target_id IS 'Identifier of the thing cited.';

CREATE TABLE decisions (
    decision_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    agent_id VARCHAR NOT NULL,
    policy_version VARCHAR,
    domain VARCHAR NOT NULL,
    problem_id VARCHAR,
    club VARCHAR,
    read VARCHAR[] NOT NULL,
    prompt VARCHAR NOT NULL,
    completion VARCHAR NOT NULL,
    action VARCHAR,
    note_id VARCHAR,
    outcome VARCHAR NOT NULL,
    reason VARCHAR
);
COMMENT ON TABLE decisions IS 'One row a decision of an agent what to write, cite, revise, dispute or leave.';
COMMENT ON COLUMN decisions.decision_id IS 'Identifier of the decision.';
COMMENT ON COLUMN decisions.round IS 'Round in which it was taken.';
COMMENT ON COLUMN decisions.agent_id IS 'Agent that decided.';
COMMENT ON COLUMN decisions.policy_version IS 'Policy version that decided; NULL where the scripted policy did.';
COMMENT ON COLUMN decisions.domain IS 'Domain that it was about.';
COMMENT ON COLUMN decisions.problem_id IS 'Problem that the agent had worked on; NULL in a book club.';
COMMENT ON COLUMN decisions.club IS 'Chapter that the book club talked about; NULL outside one.';
COMMENT ON COLUMN decisions.read IS 'Revisions that lay on the desk, in the order of their numbers: what was read before writing.';
COMMENT ON COLUMN decisions.prompt IS 'Prompt that it answered; empty where the scripted policy decided.';
COMMENT ON COLUMN decisions.completion IS 'The action as it was written, untrusted.';
COMMENT ON COLUMN decisions.action IS 'What it decided: leave, write, revise, review, dispute, discuss, outline, chapter, merge, archive or publish; NULL where the text was no action.';
COMMENT ON COLUMN decisions.note_id IS 'Note that was written, archived or published; NULL where none was.';
COMMENT ON COLUMN decisions.outcome IS 'What became of it: written, left, malformed (no action of this desk), refused (by the library) or lost (by the infrastructure).';
COMMENT ON COLUMN decisions.reason IS 'Why it was malformed, refused or lost; NULL where it was not.';

CREATE TABLE batches (
    batch_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    policy VARCHAR NOT NULL,
    parent VARCHAR NOT NULL,
    objectives VARCHAR[] NOT NULL,
    rows BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    path VARCHAR NOT NULL
);
COMMENT ON TABLE batches IS 'One row a batch: a set of training rows for one policy.';
COMMENT ON COLUMN batches.batch_id IS 'Identifier of the batch.';
COMMENT ON COLUMN batches.round IS 'Round in which it was gathered.';
COMMENT ON COLUMN batches.policy IS 'Policy that it trains.';
COMMENT ON COLUMN batches.parent IS 'Policy version that training starts from.';
COMMENT ON COLUMN batches.objectives IS 'Objectives by name, in the order in which they first appear.';
COMMENT ON COLUMN batches.rows IS 'Size of the batch, in training rows.';
COMMENT ON COLUMN batches.tokens IS 'Length of the batch, prompts and completions, in tokens.';
COMMENT ON COLUMN batches.path IS 'Parquet file of the batch, relative to the run''s folder.';

CREATE TABLE batch_rows (
    batch_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    row BIGINT NOT NULL,
    role VARCHAR NOT NULL,
    objective VARCHAR NOT NULL,
    source_kind VARCHAR NOT NULL,
    source_id VARCHAR NOT NULL,
    group_id VARCHAR NOT NULL,
    prompt VARCHAR NOT NULL,
    completion VARCHAR NOT NULL,
    token_ids INTEGER[] NOT NULL,
    logprobs DOUBLE[] NOT NULL,
    weight DOUBLE NOT NULL,
    advantage DOUBLE NOT NULL
);
COMMENT ON TABLE batch_rows IS 'One row a training row and the thing it came from.';
COMMENT ON COLUMN batch_rows.batch_id IS 'Batch that it belongs to.';
COMMENT ON COLUMN batch_rows.round IS 'Round in which the batch was gathered.';
COMMENT ON COLUMN batch_rows.row IS 'Place in the batch, from 0.';
COMMENT ON COLUMN batch_rows.role IS 'Role in which the completion was written.';
COMMENT ON COLUMN batch_rows.objective IS 'Objective that it is trained with, by name.';
COMMENT ON COLUMN batch_rows.source_kind IS 'Kind of the thing it came from: attempt, problem or note.';
COMMENT ON COLUMN batch_rows.source_id IS 'Identifier of the thing it came from.';
COMMENT ON COLUMN batch_rows.group_id IS 'Rows of one group share a baseline: a problem''s attempts, a request''s proposals.';
COMMENT ON COLUMN batch_rows.prompt IS 'Prompt trained on.';
COMMENT ON COLUMN batch_rows.completion IS 'Completion trained on, untrusted.';
COMMENT ON COLUMN batch_rows.token_ids IS 'Token ids of the completion, in the policy''s vocabulary.';
COMMENT ON COLUMN batch_rows.logprobs IS 'Log-probabilities under the policy that sampled, in nats; empty where the completion is a key.';
COMMENT ON COLUMN batch_rows.weight IS 'Weight of the row in the loss, dimensionless.';
COMMENT ON COLUMN batch_rows.advantage IS 'Advantage, in the unit that the objective defines.';

CREATE TABLE updates (
    batch_id VARCHAR NOT NULL,
    round BIGINT NOT NULL,
    policy VARCHAR NOT NULL,
    policy_version VARCHAR NOT NULL,
    step BIGINT NOT NULL,
    loss DOUBLE NOT NULL,
    kl DOUBLE,
    entropy DOUBLE,
    grad_norm DOUBLE NOT NULL,
    clip_fraction DOUBLE,
    sampling_gap DOUBLE,
    learning_rate DOUBLE NOT NULL,
    rows BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    seconds DOUBLE NOT NULL
);
COMMENT ON TABLE updates IS 'One row an optimizer step.';
COMMENT ON COLUMN updates.batch_id IS 'Batch trained on.';
COMMENT ON COLUMN updates.round IS 'Round in which the step was taken.';
COMMENT ON COLUMN updates.policy IS 'Policy trained.';
COMMENT ON COLUMN updates.policy_version IS 'Version that the steps lead to.';
COMMENT ON COLUMN updates.step IS 'Steps that the policy has taken since version 0, this one included.';
COMMENT ON COLUMN updates.loss IS 'Loss of the step, in nats a token unless the objective says otherwise.';
COMMENT ON COLUMN updates.kl IS 'KL divergence from the parent version on the first rows of the step, in nats a token; NULL where not computed.';
COMMENT ON COLUMN updates.entropy IS 'Entropy of the policy, in nats a token; NULL where not computed.';
COMMENT ON COLUMN updates.grad_norm IS 'L2 norm of the gradient before clipping.';
COMMENT ON COLUMN updates.clip_fraction IS 'Share of tokens whose ratio was clipped, from 0 to 1; NULL where the objective clips none.';
COMMENT ON COLUMN updates.sampling_gap IS 'Mean distance of the learner''s log-probabilities of what was sampled, before any step on the batch, from the engine''s, in nats a token; NULL where not computed.';
COMMENT ON COLUMN updates.learning_rate IS 'Learning rate of the step.';
COMMENT ON COLUMN updates.rows IS 'Size of the step, in training rows.';
COMMENT ON COLUMN updates.tokens IS 'Length of the step, prompts and completions, in tokens.';
COMMENT ON COLUMN updates.seconds IS 'Time that the step took, in seconds.';

CREATE TABLE evaluations (
    round BIGINT NOT NULL,
    policy_version VARCHAR NOT NULL,
    domain VARCHAR NOT NULL,
    anchor_id VARCHAR NOT NULL,
    cell VARCHAR NOT NULL,
    features JSON NOT NULL,
    completion VARCHAR NOT NULL,
    correct BOOLEAN NOT NULL
);
COMMENT ON TABLE evaluations IS 'One row an anchor answered by one policy version.';
COMMENT ON COLUMN evaluations.round IS 'Round in which it was answered.';
COMMENT ON COLUMN evaluations.policy_version IS 'Policy version that answered.';
COMMENT ON COLUMN evaluations.domain IS 'Domain by name; one of evaluation.transfer sets no problems.';
COMMENT ON COLUMN evaluations.anchor_id IS 'Anchor: a frozen problem that never enters training.';
COMMENT ON COLUMN evaluations.cell IS 'Place of the anchor in the domain''s grid of difficulty.';
COMMENT ON COLUMN evaluations.features IS 'Complexity features of the anchor by name, as one JSON object.';
COMMENT ON COLUMN evaluations.completion IS 'What it wrote, untrusted.';
COMMENT ON COLUMN evaluations.correct IS 'Whether the answer was right.';

CREATE TABLE revisits (
    round BIGINT NOT NULL,
    policy_version VARCHAR NOT NULL,
    domain VARCHAR NOT NULL,
    problem_id VARCHAR NOT NULL,
    posed BIGINT NOT NULL,
    completion VARCHAR NOT NULL,
    correct BOOLEAN NOT NULL
);
COMMENT ON TABLE revisits IS 'One row a problem of an evaluated round answered again by one policy version, greedily and without notes (evaluation.revisits).';
COMMENT ON COLUMN revisits.round IS 'Round in which it was answered.';
COMMENT ON COLUMN revisits.policy_version IS 'Policy version that answered.';
COMMENT ON COLUMN revisits.domain IS 'Domain by name.';
COMMENT ON COLUMN revisits.problem_id IS 'Problem answered.';
COMMENT ON COLUMN revisits.posed IS 'Round that set the problem.';
COMMENT ON COLUMN revisits.completion IS 'What it wrote, untrusted.';
COMMENT ON COLUMN revisits.correct IS 'Whether the answer was right.';

CREATE TABLE matches (
    round BIGINT NOT NULL,
    domain VARCHAR NOT NULL,
    part VARCHAR NOT NULL,
    attempt_id VARCHAR,
    anchor_id VARCHAR,
    policy_version VARCHAR NOT NULL,
    opponent VARCHAR NOT NULL,
    result VARCHAR NOT NULL,
    forfeited_by VARCHAR,
    turns BIGINT NOT NULL
);
COMMENT ON TABLE matches IS 'One row a game of two that came to its end, in an attempt or at an anchor; its moves are in actions.';
COMMENT ON COLUMN matches.round IS 'Round in which it was played.';
COMMENT ON COLUMN matches.domain IS 'Domain by name.';
COMMENT ON COLUMN matches.part IS 'What the solver played: the game''s letter and + where it began.';
COMMENT ON COLUMN matches.attempt_id IS 'Attempt that it is; NULL at an anchor.';
COMMENT ON COLUMN matches.anchor_id IS 'Anchor that it was played at; NULL in an attempt.';
COMMENT ON COLUMN matches.policy_version IS 'Policy version of the solver.';
COMMENT ON COLUMN matches.opponent IS 'Policy version that it played against, or random or expert, who are scripted and never change.';
COMMENT ON COLUMN matches.result IS 'win, draw or loss, of the solver.';
COMMENT ON COLUMN matches.forfeited_by IS 'solver or opponent, where one of them lost by a move that is not allowed; else NULL.';
COMMENT ON COLUMN matches.turns IS 'Turns that policies took in it, those of scripted opponents not among them, in turns.';

CREATE TABLE measures (
    round BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    domain VARCHAR NOT NULL,
    value DOUBLE,
    low DOUBLE,
    high DOUBLE,
    n BIGINT NOT NULL
);
COMMENT ON TABLE measures IS 'One row a number about one round, with an interval where it is an estimate.';
COMMENT ON COLUMN measures.round IS 'Round that it is about.';
COMMENT ON COLUMN measures.name IS 'Name of the measure, which fixes its unit.';
COMMENT ON COLUMN measures.domain IS 'Domain that it is about; empty where it is about all of them.';
COMMENT ON COLUMN measures.value IS 'The number, in the measure''s unit; NULL where it has no value.';
COMMENT ON COLUMN measures.low IS 'Lower end of the 95% interval, in the measure''s unit; NULL where it is no estimate.';
COMMENT ON COLUMN measures.high IS 'Upper end of the 95% interval, in the measure''s unit; NULL where it is no estimate.';
COMMENT ON COLUMN measures.n IS 'Observations behind the number, in observations.';

CREATE TABLE events (
    round BIGINT NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    source VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    detail VARCHAR NOT NULL
);
COMMENT ON TABLE events IS 'One row a thing that happened: a failure and to whom it is attributed, or a turning point.';
COMMENT ON COLUMN events.round IS 'Round in which it happened.';
COMMENT ON COLUMN events."at" IS 'When it happened, in UTC.';
COMMENT ON COLUMN events.source IS 'To whom it is attributed: proposer, solver, verifier, library, learner or infrastructure.';
COMMENT ON COLUMN events.kind IS 'Short slug of what happened, to count by.';
COMMENT ON COLUMN events.subject IS 'Identifier of the thing it happened to.';
COMMENT ON COLUMN events.detail IS 'What happened, in words.';
