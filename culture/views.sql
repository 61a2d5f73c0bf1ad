-- Answers to what people ask of a run: views and macros over the log that every read-only connection has by
-- name. They are temporary, so they are in no log, and logs of earlier versions have them too: a column that
-- such a log lacks is NULL in them. With several runs (culture.connect_many) each has a column run before its
-- own. A body that names no table of lake is made once, over what stands above it.
--
-- Tables are read as lake.NAME, and columns of them are only ever qualified by an alias (culture/views.py).
-- The last of several columns is taken as one struct, for max_by passes over NULL, which is a value too.
-- CTEs are materialized where DuckLake would else read the same files again for every use.

CREATE TEMP MACRO wilson_low(k, n) AS
    greatest(0, (k / n + 1.920729410347 / n
        - 1.959963984540 * sqrt(k / n * (1 - k / n) / n + 0.960364705174 / n / n)) / (1 + 3.841458820694 / n));
COMMENT ON MACRO wilson_low IS 'Lower end of the 95% score interval of a share of k in n > 0 (Wilson 1927).';

CREATE TEMP MACRO wilson_high(k, n) AS
    least(1, (k / n + 1.920729410347 / n
        + 1.959963984540 * sqrt(k / n * (1 - k / n) / n + 0.960364705174 / n / n)) / (1 + 3.841458820694 / n));
COMMENT ON MACRO wilson_high IS 'Upper end of the 95% score interval of a share of k in n > 0 (Wilson 1927).';

CREATE TEMP MACRO student_t(df) AS
    CASE WHEN df <= 30 THEN [
        12.7062047362, 4.3026527297, 3.1824463053, 2.7764451052, 2.5705818356, 2.4469118511, 2.3646242516,
        2.3060041352, 2.2621571628, 2.228138852, 2.2009851601, 2.1788128297, 2.1603686565, 2.1447866879,
        2.1314495456, 2.1199052992, 2.1098155778, 2.1009220402, 2.0930240544, 2.0859634473, 2.0796138447,
        2.0738730679, 2.0686576104, 2.0638985616, 2.0595385528, 2.0555294386, 2.0518305165, 2.0484071418,
        2.0452296421, 2.0422724563][df::BIGINT]::DOUBLE
    ELSE 1.959963984540 + 2.372271230299 / df + 2.822498615740 / df ** 2 + 2.555849679508 / df ** 3
        + 1.589534053393 / df ** 4 END;
COMMENT ON MACRO student_t IS '97.5% quantile of Student''s t with df degrees of freedom, for 95% intervals: a table up to 30, then the expansion of Abramowitz and Stegun 26.7.5, with errors below 1e-7.';

-- Curricula -------------------------------------------------------------------------------------------

CREATE TEMP VIEW curriculum AS
WITH posed AS (
    SELECT round, domain, count(*) AS proposed, count(*) FILTER (answer_key IS NOT NULL) AS valid,
        count(*) FILTER (reason = 'duplicate') AS duplicate, count(*) FILTER (status = 'admitted') AS admitted,
        avg(difficulty) FILTER (status = 'admitted') AS mean_difficulty,
        quantile_cont(difficulty, 0.1) FILTER (status = 'admitted') AS low_difficulty,
        quantile_cont(difficulty, 0.9) FILTER (status = 'admitted') AS high_difficulty
    FROM lake.problems GROUP BY round, domain
), made AS (
    SELECT round, domain, count(*) AS attempts, count(*) FILTER (correct) AS correct,
        avg(correct::INT) FILTER (NOT replay) AS solve_rate, avg(correct::INT) FILTER (replay) AS replay_rate
    FROM lake.attempts WHERE verdict <> 'error' GROUP BY round, domain
)
SELECT round, domain, coalesce(p.proposed, 0) AS proposed, coalesce(p.valid, 0) AS valid,
    coalesce(p.duplicate, 0) AS duplicate, coalesce(p.admitted, 0) AS admitted, p.mean_difficulty,
    p.low_difficulty, p.high_difficulty, coalesce(m.attempts, 0) AS attempts,
    coalesce(m.correct, 0) AS correct, m.solve_rate, m.replay_rate
FROM posed p FULL JOIN made m USING (round, domain) ORDER BY round, domain;
COMMENT ON VIEW curriculum IS 'One row a round and domain: what was proposed, how difficult it was, how much of it was solved.';
COMMENT ON COLUMN curriculum.round IS 'Round.';
COMMENT ON COLUMN curriculum.domain IS 'Domain by name.';
COMMENT ON COLUMN curriculum.proposed IS 'Proposals, in proposals.';
COMMENT ON COLUMN curriculum.valid IS 'Of these such as parsed and executed, in proposals.';
COMMENT ON COLUMN curriculum.duplicate IS 'Of these such as the log held already, in proposals.';
COMMENT ON COLUMN curriculum.admitted IS 'Of these admitted, in problems.';
COMMENT ON COLUMN curriculum.mean_difficulty IS 'Mean difficulty of what was admitted, in the domain''s unit; NULL where nothing was.';
COMMENT ON COLUMN curriculum.low_difficulty IS '10th percentile of the same, in the domain''s unit.';
COMMENT ON COLUMN curriculum.high_difficulty IS '90th percentile of the same, in the domain''s unit.';
COMMENT ON COLUMN curriculum.attempts IS 'Attempts, those at replays too, those that infrastructure lost not, in attempts.';
COMMENT ON COLUMN curriculum.correct IS 'Of these right, in attempts.';
COMMENT ON COLUMN curriculum.solve_rate IS 'Share of the attempts at new problems that were right, from 0 to 1: the measure of the same name.';
COMMENT ON COLUMN curriculum.replay_rate IS 'The same of attempts at problems of earlier rounds; NULL where there was none.';

CREATE TEMP VIEW frontier AS
WITH named AS MATERIALIZED (
    SELECT round, domain, split_part(name, '/', 1) AS kind, split_part(name, '/', 2) AS policy, value, low, high
    FROM lake.measures
    WHERE split_part(name, '/', 1) IN
        ('ability', 'frontier_difficulty', 'gap', 'zone', 'held_out', 'difficulty', 'frontier')
), policies AS (
    SELECT round, domain, policy,
        max(value) FILTER (kind = 'ability') AS ability, max(low) FILTER (kind = 'ability') AS ability_low,
        max(high) FILTER (kind = 'ability') AS ability_high, max(value) FILTER (kind = 'gap') AS gap,
        max(value) FILTER (kind = 'zone') AS zone,
        max(value) FILTER (kind = 'frontier_difficulty') AS frontier_difficulty,
        max(low) FILTER (kind = 'frontier_difficulty') AS frontier_low,
        max(high) FILTER (kind = 'frontier_difficulty') AS frontier_high,
        max(value) FILTER (kind = 'held_out') AS held_out
    FROM named WHERE policy <> '' GROUP BY round, domain, policy
), problems AS (
    SELECT round, domain, max(value) FILTER (kind = 'difficulty') AS difficulty,
        max(low) FILTER (kind = 'difficulty') AS difficulty_low,
        max(high) FILTER (kind = 'difficulty') AS difficulty_high,
        max(value) FILTER (kind = 'frontier') AS asked
    FROM named WHERE policy = '' GROUP BY round, domain
)
SELECT round, domain, p.policy, p.ability, p.ability_low, p.ability_high, q.difficulty, q.difficulty_low,
    q.difficulty_high, p.gap, p.zone, p.frontier_difficulty, p.frontier_low, p.frontier_high, q.asked, p.held_out
FROM policies p FULL JOIN problems q USING (round, domain) ORDER BY round, domain, policy;
COMMENT ON VIEW frontier IS 'One row a round, domain and policy: how able it is, how difficult new problems are, and where it begins to fail; from measures, so NULL where none was taken.';
COMMENT ON COLUMN frontier.round IS 'Round.';
COMMENT ON COLUMN frontier.domain IS 'Domain by name.';
COMMENT ON COLUMN frontier.policy IS 'Policy by name; NULL where only problems were measured.';
COMMENT ON COLUMN frontier.ability IS 'Ability of its current version, in logits on the scale as it was known in the round.';
COMMENT ON COLUMN frontier.ability_low IS 'Lower end of the 95% interval, in logits.';
COMMENT ON COLUMN frontier.ability_high IS 'Upper end of the 95% interval, in logits.';
COMMENT ON COLUMN frontier.difficulty IS 'Mean difficulty of the round''s new problems, in logits on the same scale.';
COMMENT ON COLUMN frontier.difficulty_low IS 'Lower end of the 95% interval, in logits.';
COMMENT ON COLUMN frontier.difficulty_high IS 'Upper end of the 95% interval, in logits.';
COMMENT ON COLUMN frontier.gap IS 'Mean distance of new problems above who attempted them, in logits.';
COMMENT ON COLUMN frontier.zone IS 'Share of new problems that are solved with a probability from 0.2 to 0.8.';
COMMENT ON COLUMN frontier.frontier_difficulty IS 'Difficulty at which half is solved, in the domain''s unit.';
COMMENT ON COLUMN frontier.frontier_low IS 'Lower end of the 95% interval, in the domain''s unit.';
COMMENT ON COLUMN frontier.frontier_high IS 'Upper end of the 95% interval, in the domain''s unit.';
COMMENT ON COLUMN frontier.asked IS 'Where the strategy itself puts the frontier, in the domain''s unit; NULL where it has none.';
COMMENT ON COLUMN frontier.held_out IS 'Share of the anchors that its current version solved.';

CREATE TEMP VIEW held_out AS
SELECT round, split_part(policy_version, '@', 1) AS policy, policy_version,
    split_part(policy_version, '@', 2)::INT AS version, domain, count(*) FILTER (correct) AS correct,
    count(*) AS anchors, avg(correct::INT) AS share,
    wilson_low(count(*) FILTER (correct), count(*)) AS low, wilson_high(count(*) FILTER (correct), count(*)) AS high
FROM lake.evaluations GROUP BY round, policy_version, domain ORDER BY round, domain, policy, version;
COMMENT ON VIEW held_out IS 'One row a round, policy version and domain: how many frozen anchors were solved.';
COMMENT ON COLUMN held_out.round IS 'Round of the evaluation. In round 0 version 0 is asked before anything is learned, and what the round made of it after: order by round and version.';
COMMENT ON COLUMN held_out.policy IS 'Policy by name.';
COMMENT ON COLUMN held_out.policy_version IS 'Version that answered.';
COMMENT ON COLUMN held_out.version IS 'Number of that version within the policy, from 0.';
COMMENT ON COLUMN held_out.domain IS 'Domain by name.';
COMMENT ON COLUMN held_out.correct IS 'Anchors solved, in anchors.';
COMMENT ON COLUMN held_out.anchors IS 'Anchors asked, in anchors.';
COMMENT ON COLUMN held_out.share IS 'Share solved, from 0 to 1.';
COMMENT ON COLUMN held_out.low IS 'Lower end of its 95% interval (Wilson 1927).';
COMMENT ON COLUMN held_out.high IS 'Upper end of the same.';

CREATE TEMP VIEW cells AS
SELECT round, policy_version, split_part(policy_version, '@', 2)::INT AS version, domain, cell,
    count(*) FILTER (correct) AS correct, count(*) AS anchors, avg(correct::INT) AS share
FROM lake.evaluations GROUP BY round, policy_version, domain, cell
ORDER BY round, domain, split_part(policy_version, '@', 1), version, cell;
COMMENT ON VIEW cells IS 'The same by the cells of a domain''s grid of difficulty: one row a round, policy version, domain and cell.';
COMMENT ON COLUMN cells.round IS 'Round of the evaluation; in round 0 there may be two versions, as in held_out.';
COMMENT ON COLUMN cells.policy_version IS 'Version that answered.';
COMMENT ON COLUMN cells.version IS 'Number of that version within the policy, from 0.';
COMMENT ON COLUMN cells.domain IS 'Domain by name.';
COMMENT ON COLUMN cells.cell IS 'Cell by name.';
COMMENT ON COLUMN cells.correct IS 'Anchors solved, in anchors.';
COMMENT ON COLUMN cells.anchors IS 'Anchors asked, in anchors.';
COMMENT ON COLUMN cells.share IS 'Share solved, from 0 to 1.';

CREATE TEMP VIEW outcomes AS
WITH tried AS (
    SELECT problem_id, count(*) AS attempts, count(*) FILTER (correct) AS correct,
        count(*) FILTER (correct AND NOT replay) AS correct_at_first, max(round) AS last_tried,
        min(round) FILTER (correct) AS first_solved
    FROM lake.attempts WHERE verdict <> 'error' GROUP BY problem_id
)
SELECT p.problem_id, p.round, p.domain, p.origin, p.proposer, p.parent_id, p.difficulty,
    coalesce(t.attempts, 0) AS attempts, coalesce(t.correct, 0) AS correct,
    coalesce(t.correct_at_first, 0) AS correct_at_first, t.first_solved, t.last_tried
FROM lake.problems p LEFT JOIN tried t USING (problem_id) WHERE p.status = 'admitted';
COMMENT ON VIEW outcomes IS 'One row an admitted problem: how often it was tried and solved, and when first.';
COMMENT ON COLUMN outcomes.problem_id IS 'Problem.';
COMMENT ON COLUMN outcomes.round IS 'Round that set it.';
COMMENT ON COLUMN outcomes.domain IS 'Domain by name.';
COMMENT ON COLUMN outcomes.origin IS 'Who wrote it: policy, mutation, club or scripted.';
COMMENT ON COLUMN outcomes.proposer IS 'Agent that proposed it.';
COMMENT ON COLUMN outcomes.parent_id IS 'Problem that it is a mutation of; NULL where fresh.';
COMMENT ON COLUMN outcomes.difficulty IS 'Its difficulty, in the domain''s unit.';
COMMENT ON COLUMN outcomes.attempts IS 'Attempts at it in all rounds, those that infrastructure lost left out, in attempts.';
COMMENT ON COLUMN outcomes.correct IS 'Of these right, in attempts.';
COMMENT ON COLUMN outcomes.correct_at_first IS 'Of these right in the round that set it, in attempts.';
COMMENT ON COLUMN outcomes.first_solved IS 'Round in which it was first solved; NULL where never.';
COMMENT ON COLUMN outcomes.last_tried IS 'Round in which it was last tried; NULL where never.';

CREATE TEMP VIEW lineages AS
WITH RECURSIVE born AS MATERIALIZED (
    SELECT problem_id, parent_id FROM lake.problems WHERE parent_id IS NOT NULL
), line AS (
    SELECT problem_id, problem_id AS root_id, 0 AS generation FROM lake.problems WHERE parent_id IS NULL
    UNION ALL
    SELECT b.problem_id, l.root_id, l.generation + 1 FROM line l JOIN born b ON b.parent_id = l.problem_id
)
SELECT problem_id, root_id, generation FROM line;
COMMENT ON VIEW lineages IS 'One row a proposal: which fresh problem it descends from, and through how many mutations.';
COMMENT ON COLUMN lineages.problem_id IS 'Problem.';
COMMENT ON COLUMN lineages.root_id IS 'Fresh problem at the beginning of its line; itself where it is fresh.';
COMMENT ON COLUMN lineages.generation IS 'Mutations from there, in mutations.';

CREATE TEMP MACRO problem_lineage(problem) AS TABLE
WITH RECURSIVE born AS MATERIALIZED (
    SELECT problem_id, parent_id FROM lake.problems WHERE parent_id IS NOT NULL
), line AS (
    SELECT problem AS problem_id, 0 AS generation
    UNION ALL
    SELECT b.parent_id, l.generation - 1 FROM line l JOIN born b USING (problem_id)
), known AS MATERIALIZED (
    SELECT p.* EXCLUDE (token_ids, logprobs, prompt, text), l.generation FROM lake.problems p JOIN line l USING (problem_id)
), tried AS (
    SELECT problem_id, count(*) AS attempts, count(*) FILTER (correct) AS correct
    FROM lake.attempts WHERE verdict <> 'error' AND problem_id IN (SELECT problem_id FROM known) GROUP BY problem_id
)
SELECT k.generation, k.problem_id, k.round, k.origin, k.proposer, k.policy_version, k.spec, k.difficulty,
    coalesce(t.attempts, 0) AS attempts, coalesce(t.correct, 0) AS correct
FROM known k LEFT JOIN tried t USING (problem_id) ORDER BY generation DESC;
COMMENT ON MACRO TABLE problem_lineage IS 'A problem and what it was made from, itself first as generation 0, its parent as -1 and so on, each with who wrote it and how often it was solved.';

CREATE TEMP MACRO problem_descendants(problem) AS TABLE
WITH RECURSIVE born AS MATERIALIZED (
    SELECT problem_id, parent_id FROM lake.problems WHERE parent_id IS NOT NULL
), line AS (
    SELECT problem AS problem_id, 0 AS generation
    UNION ALL
    SELECT b.problem_id, l.generation + 1 FROM line l JOIN born b ON b.parent_id = l.problem_id
)
SELECT l.generation, p.problem_id, p.parent_id, p.round, p.status, p.reason, p.spec, p.difficulty
FROM line l JOIN lake.problems p USING (problem_id) ORDER BY generation, round, problem_id;
COMMENT ON MACRO TABLE problem_descendants IS 'A problem and all mutations of it, admitted or not, itself first as generation 0, its children as 1 and so on.';

-- Culture ---------------------------------------------------------------------------------------------

CREATE TEMP VIEW arms AS
WITH shown AS (
    SELECT attempt_id, count(*) AS notes, sum(tokens)::BIGINT AS tokens FROM lake.reads GROUP BY attempt_id
)
SELECT a.round, a.domain, a.arm, count(*) AS attempts, count(*) FILTER (a.correct) AS correct,
    avg(a.correct::INT) AS solve_rate, count(s.notes) AS readers, coalesce(sum(s.notes), 0)::BIGINT AS notes,
    coalesce(sum(s.tokens), 0)::BIGINT AS tokens
FROM lake.attempts a LEFT JOIN shown s USING (attempt_id) WHERE a.verdict <> 'error'
GROUP BY a.round, a.domain, a.arm ORDER BY a.round, a.domain, a.arm;
COMMENT ON VIEW arms IS 'One row a round, domain and arm that attempts were assigned at random: how many were right, and what they were shown.';
COMMENT ON COLUMN arms.round IS 'Round.';
COMMENT ON COLUMN arms.domain IS 'Domain by name.';
COMMENT ON COLUMN arms.arm IS 'Arm: library, none, placebo or shuffled.';
COMMENT ON COLUMN arms.attempts IS 'Attempts, those that infrastructure lost left out, in attempts.';
COMMENT ON COLUMN arms.correct IS 'Of these right, in attempts.';
COMMENT ON COLUMN arms.solve_rate IS 'Share that was right, from 0 to 1.';
COMMENT ON COLUMN arms.readers IS 'Of these such as were shown a note, in attempts.';
COMMENT ON COLUMN arms.notes IS 'Notes that they were shown together, in notes.';
COMMENT ON COLUMN arms.tokens IS 'Length of those, in tokens.';

CREATE TEMP MACRO culture_effect_between(first_round, last_round) AS TABLE
WITH counted AS MATERIALIZED (
    SELECT domain, count(*) FILTER (arm = 'library') AS n_library, count(*) FILTER (arm = 'library' AND correct) AS s_library,
        count(*) FILTER (arm = 'none') AS n_none, count(*) FILTER (arm = 'none' AND correct) AS s_none,
        count(*) FILTER (arm = 'placebo') AS n_placebo, count(*) FILTER (arm = 'placebo' AND correct) AS s_placebo,
        count(*) FILTER (arm = 'shuffled') AS n_shuffled, count(*) FILTER (arm = 'shuffled' AND correct) AS s_shuffled
    FROM lake.attempts WHERE verdict <> 'error' AND round BETWEEN first_round AND last_round
    GROUP BY domain, problem_id
), contrasts AS (
    SELECT domain, 'library' AS treatment, 'none' AS control, n_library AS n1, s_library AS s1, n_none AS n0,
        s_none AS s0 FROM counted
    UNION ALL SELECT domain, 'library', 'placebo', n_library, s_library, n_placebo, s_placebo FROM counted
    UNION ALL SELECT domain, 'library', 'shuffled', n_library, s_library, n_shuffled, s_shuffled FROM counted
    UNION ALL SELECT domain, 'placebo', 'none', n_placebo, s_placebo, n_none, s_none FROM counted
    UNION ALL SELECT domain, 'shuffled', 'none', n_shuffled, s_shuffled, n_none, s_none FROM counted
), alike AS MATERIALIZED ( -- problems with the same counts, of which there are many, are summed over at once
    SELECT domain, treatment, control, n1, s1, n0, s0, count(*) AS k FROM contrasts WHERE n1 + n0 > 0 GROUP BY ALL
), clusters AS (
    SELECT * FROM alike UNION ALL SELECT * REPLACE ('' AS domain) FROM alike
), sums AS (
    SELECT domain, treatment, control, sum(k * n1)::DOUBLE AS treated, sum(k * n0)::DOUBLE AS controls,
        sum(k * s1) / sum(k * n1) AS p1, sum(k * s0) / sum(k * n0) AS p0, sum(k)::BIGINT AS problems
    FROM clusters GROUP BY domain, treatment, control HAVING sum(k * n1) > 0 AND sum(k * n0) > 0
), variances AS (
    SELECT domain, treatment, control, any_value(p1) - any_value(p0) AS difference, any_value(treated) AS treated,
        any_value(controls) AS controls, any_value(problems) AS problems,
        CASE WHEN any_value(problems) >= 2 AND any_value(treated + controls) >= 3
            AND 0 < any_value(p1) AND any_value(p1) < 1 AND 0 < any_value(p0) AND any_value(p0) < 1 THEN
            any_value(problems / (problems - 1) * (treated + controls - 1) / (treated + controls - 2))
            * sum(k * ((s1 - n1 * p1) / treated - (s0 - n0 * p0) / controls) ** 2) END AS variance
    FROM clusters JOIN sums USING (domain, treatment, control) GROUP BY domain, treatment, control
), readers AS MATERIALIZED (
    SELECT domain, a.arm, count(*) AS n FROM lake.attempts a
    WHERE attempt_id IN (SELECT r.attempt_id FROM lake.reads r WHERE r.round BETWEEN first_round AND last_round)
        AND verdict <> 'error' AND round BETWEEN first_round AND last_round GROUP BY domain, a.arm
), estimates AS (
    SELECT *, CASE WHEN variance > 1e-24 THEN sqrt(variance) END AS standard_error FROM variances
)
SELECT e.domain, e.treatment, e.control, e.difference, e.standard_error,
    e.difference - student_t(e.problems - 1) * e.standard_error AS low,
    e.difference + student_t(e.problems - 1) * e.standard_error AS high, e.treated::BIGINT AS treated,
    e.controls::BIGINT AS controls, e.problems,
    (SELECT coalesce(sum(n), 0) FROM readers WHERE arm = e.treatment AND e.domain IN ('', domain)) / e.treated AS read_share
FROM estimates e ORDER BY e.domain, e.treatment, e.control;
COMMENT ON MACRO TABLE culture_effect_between IS 'The view culture_effect over rounds from the first to the last given, both included.';

CREATE TEMP VIEW culture_effect AS
SELECT * FROM culture_effect_between(0, 9223372036854775807);
COMMENT ON VIEW culture_effect IS 'One row a domain and pair of arms: the difference in success by intention to treat, with errors clustered by problem, as culture.effect.culture_effect has it (Cameron and Miller 2015).';
COMMENT ON COLUMN culture_effect.domain IS 'Domain by name; empty over all of them.';
COMMENT ON COLUMN culture_effect.treatment IS 'Arm.';
COMMENT ON COLUMN culture_effect.control IS 'Arm that it is compared with.';
COMMENT ON COLUMN culture_effect.difference IS 'Share of the attempts that were right, treatment less control, from -1 to 1.';
COMMENT ON COLUMN culture_effect.standard_error IS 'Clustered by problem; NULL where it cannot be estimated: one problem, or an arm with only right or only wrong answers.';
COMMENT ON COLUMN culture_effect.low IS 'Lower end of the 95% interval; NULL where there is too little to tell.';
COMMENT ON COLUMN culture_effect.high IS 'Upper end of the 95% interval.';
COMMENT ON COLUMN culture_effect.treated IS 'Attempts in the treatment arm, in attempts.';
COMMENT ON COLUMN culture_effect.controls IS 'Attempts in the control arm, in attempts.';
COMMENT ON COLUMN culture_effect.problems IS 'Problems attempted in either arm: the clusters.';
COMMENT ON COLUMN culture_effect.read_share IS 'Share of the treatment arm that was shown a note; all of it counts.';

CREATE TEMP VIEW worth AS
SELECT round, regexp_extract(name, '^worth/([a-z]+)/', 1) AS what,
    regexp_replace(name, '^worth/[a-z]+/', '') AS key, value AS worth, low, high, n AS attempts
FROM lake.measures WHERE starts_with(name, 'worth/') ORDER BY round, what, key;
COMMENT ON VIEW worth IS 'One row an evaluated round and a note, author, kind or shelf: what reading it was worth by then, from measures; culture.worth.worths has q-values beside.';
COMMENT ON COLUMN worth.round IS 'Round; attempts of the rounds before it count.';
COMMENT ON COLUMN worth.what IS 'What was read: note, author, kind or shelf.';
COMMENT ON COLUMN worth.key IS 'Its identifier or name.';
COMMENT ON COLUMN worth.worth IS 'Difference that reading made to the share of attempts that were right, from -1 to 1.';
COMMENT ON COLUMN worth.low IS 'Lower end of the 95% interval of this one alone.';
COMMENT ON COLUMN worth.high IS 'Upper end of the same.';
COMMENT ON COLUMN worth.attempts IS 'Attempts behind it, of readers and of controls, in attempts.';

CREATE TEMP VIEW note_worth AS
WITH latest AS (
    SELECT regexp_replace(name, '^worth/note/', '') AS note_id, max(round) AS round,
        max_by({'worth': value, 'low': low, 'high': high, 'attempts': n}, round) AS found
    FROM lake.measures WHERE starts_with(name, 'worth/note/') GROUP BY ALL
), shown AS (
    SELECT note_id, count(*) AS reads, count(DISTINCT reader) AS readers FROM lake.reads
    WHERE note_id IN (SELECT note_id FROM latest) GROUP BY note_id
)
SELECT n.note_id, n.kind, n.domain, n.title, n.author, n.round AS begun, l.round, l.found.worth, l.found.low,
    l.found.high, l.found.attempts, coalesce(s.reads, 0) AS reads, coalesce(s.readers, 0) AS readers
FROM latest l JOIN lake.notes n USING (note_id) LEFT JOIN shown s USING (note_id) ORDER BY l.found.worth DESC, n.note_id;
COMMENT ON VIEW note_worth IS 'One row a note whose worth could be told: the latest of it, and who it is of.';
COMMENT ON COLUMN note_worth.note_id IS 'Note.';
COMMENT ON COLUMN note_worth.kind IS 'Kind of the note.';
COMMENT ON COLUMN note_worth.domain IS 'Domain that it is about.';
COMMENT ON COLUMN note_worth.title IS 'Title, untrusted.';
COMMENT ON COLUMN note_worth.author IS 'Agent that began it.';
COMMENT ON COLUMN note_worth.begun IS 'Round in which it was begun.';
COMMENT ON COLUMN note_worth.round IS 'Round of the measure.';
COMMENT ON COLUMN note_worth.worth IS 'Difference that reading it made to the share of attempts that were right, from -1 to 1.';
COMMENT ON COLUMN note_worth.low IS 'Lower end of the 95% interval of this one alone.';
COMMENT ON COLUMN note_worth.high IS 'Upper end of the same.';
COMMENT ON COLUMN note_worth.attempts IS 'Attempts behind it, in attempts.';
COMMENT ON COLUMN note_worth.reads IS 'Times that it was shown, in any arm, in reads.';
COMMENT ON COLUMN note_worth.readers IS 'Agents that it was shown to, in agents.';

CREATE TEMP VIEW readings AS
SELECT r.round, r.attempt_id, a.solver, a.policy_version, a.problem_id, a.domain, r.arm, a.correct, r.rank,
    r.note_id, r.revision_id, n.kind, n.title, v.author, v.policy_version AS written_by, v.round AS written_in,
    r.tokens, v.body
FROM lake.reads r JOIN lake.attempts a USING (attempt_id) LEFT JOIN lake.revisions v USING (revision_id)
LEFT JOIN lake.notes n ON n.note_id = r.note_id;
COMMENT ON VIEW readings IS 'One row a note that an attempt was shown before it answered: who read what, by whom, and whether the answer was right.';
COMMENT ON COLUMN readings.round IS 'Round of the attempt.';
COMMENT ON COLUMN readings.attempt_id IS 'Attempt.';
COMMENT ON COLUMN readings.solver IS 'Agent that read.';
COMMENT ON COLUMN readings.policy_version IS 'Policy version that it answered with.';
COMMENT ON COLUMN readings.problem_id IS 'Problem attempted.';
COMMENT ON COLUMN readings.domain IS 'Domain of the problem.';
COMMENT ON COLUMN readings.arm IS 'Arm of the attempt: library, placebo or shuffled.';
COMMENT ON COLUMN readings.correct IS 'Whether the answer was right.';
COMMENT ON COLUMN readings.rank IS 'Place in what retrieval returned, from 0.';
COMMENT ON COLUMN readings.note_id IS 'Note shown.';
COMMENT ON COLUMN readings.revision_id IS 'Revision whose text was shown.';
COMMENT ON COLUMN readings.kind IS 'Kind of the note.';
COMMENT ON COLUMN readings.title IS 'Title, untrusted.';
COMMENT ON COLUMN readings.author IS 'Agent that wrote the revision.';
COMMENT ON COLUMN readings.written_by IS 'Policy version that wrote it; NULL where no policy did.';
COMMENT ON COLUMN readings.written_in IS 'Round in which it was written.';
COMMENT ON COLUMN readings.tokens IS 'Length of what was shown, in tokens.';
COMMENT ON COLUMN readings.body IS 'The text, untrusted.';

CREATE TEMP VIEW readership AS
WITH written AS MATERIALIZED (
    SELECT revision_id, author FROM lake.revisions
), counted AS (
    SELECT r.reader, w.author, r.round, count(*) AS reads, count(*) FILTER (r.arm = 'library') AS library
    FROM lake.reads r JOIN written w USING (revision_id) GROUP BY r.reader, w.author, r.round
)
SELECT c.reader, c.author, sum(c.reads)::BIGINT AS reads, sum(c.library)::BIGINT AS library,
    min(c.round) AS first_round, max(c.round) AS last_round, list_contains(f.neighbours, c.author) AS adjacent,
    f.organisation = t.organisation AS same_organisation
FROM counted c ASOF LEFT JOIN lake.agents f ON f.agent_id = c.reader AND f.round <= c.round
ASOF LEFT JOIN lake.agents t ON t.agent_id = c.author AND t.round <= c.round
GROUP BY c.reader, c.author, adjacent, same_organisation ORDER BY reads DESC, c.reader, c.author, adjacent;
COMMENT ON VIEW readership IS 'One row a reader, an author and how they stood to each other on the topology: how often the one was shown what the other wrote. A pair has several rows where that changed.';
COMMENT ON COLUMN readership.reader IS 'Agent that read.';
COMMENT ON COLUMN readership.author IS 'Agent that wrote what was shown.';
COMMENT ON COLUMN readership.reads IS 'Times, in any arm, in reads.';
COMMENT ON COLUMN readership.library IS 'Of these in the arm library, in reads.';
COMMENT ON COLUMN readership.first_round IS 'Round of the first.';
COMMENT ON COLUMN readership.last_round IS 'Round of the last.';
COMMENT ON COLUMN readership.adjacent IS 'Whether the author was among the reader''s neighbours when it read; NULL where the reader is not known.';
COMMENT ON COLUMN readership.same_organisation IS 'Whether both were of one organisation then; NULL where one is not known.';

CREATE TEMP VIEW books AS
WITH heads AS (
    SELECT note_id, arg_max(revision_id, library_version) AS revision_id, arg_max(tokens, library_version) AS tokens,
        arg_max(evidence->>'chapter', library_version) AS chapter, count(*) AS revisions, list(DISTINCT author ORDER BY author) AS authors
    FROM lake.revisions WHERE outcome IN ('head', 'merged') GROUP BY note_id
), parts AS (
    SELECT DISTINCT n.note_id, c.target_id AS book_id
    FROM lake.notes n JOIN lake.revisions v ON v.note_id = n.note_id
    JOIN lake.citations c ON c.revision_id = v.revision_id AND c.target_kind = 'note'
    JOIN lake.notes b ON b.note_id = c.target_id AND b.kind = 'book' WHERE n.kind = 'chapter'
)
SELECT b.note_id AS book_id, b.title AS book, b.author AS begun_by, b.round AS begun, h.chapter::BIGINT AS chapter,
    n.note_id, n.title, n.round, h.authors, h.revisions, h.tokens
FROM lake.notes b LEFT JOIN parts p ON p.book_id = b.note_id LEFT JOIN lake.notes n ON n.note_id = p.note_id
LEFT JOIN heads h ON h.note_id = n.note_id WHERE b.kind = 'book' ORDER BY b.round, b.note_id, chapter, n.round, n.note_id;
COMMENT ON VIEW books IS 'One row a chapter of a book that somebody wrote, or a book without any; several rows with one number are alternatives.';
COMMENT ON COLUMN books.book_id IS 'Note that is the outline.';
COMMENT ON COLUMN books.book IS 'Its title, untrusted.';
COMMENT ON COLUMN books.begun_by IS 'Agent that wrote the outline first.';
COMMENT ON COLUMN books.begun IS 'Round in which it was begun.';
COMMENT ON COLUMN books.chapter IS 'Number of the chapter, from 1; NULL where nobody has written one.';
COMMENT ON COLUMN books.note_id IS 'Note that is the chapter.';
COMMENT ON COLUMN books.title IS 'Title of the chapter, untrusted.';
COMMENT ON COLUMN books.round IS 'Round in which the chapter was begun.';
COMMENT ON COLUMN books.authors IS 'Agents that wrote at the chapter.';
COMMENT ON COLUMN books.revisions IS 'Texts of the chapter, in revisions.';
COMMENT ON COLUMN books.tokens IS 'Length of its last text, in tokens.';

CREATE TEMP MACRO library_changes(first_round, last_round) AS TABLE
WITH written AS MATERIALIZED (
    SELECT note_id, revision_id, round, author, outcome, library_version FROM lake.revisions WHERE round <= last_round
), notes_then AS (
    SELECT note_id,
        arg_max(revision_id, library_version) FILTER (round <= first_round AND outcome IN ('head', 'merged')) AS before_revision,
        arg_max(revision_id, library_version) FILTER (outcome IN ('head', 'merged')) AS after_revision,
        arg_max(outcome, library_version) FILTER (round <= first_round AND outcome <> 'branch') AS was,
        arg_max(outcome, library_version) FILTER (outcome <> 'branch') AS is,
        count(*) FILTER (round > first_round AND outcome IN ('head', 'merged')) AS revisions,
        count(*) FILTER (round > first_round AND outcome = 'branch') AS branches,
        list(DISTINCT author ORDER BY author) FILTER (round > first_round) AS authors
    FROM written GROUP BY note_id HAVING count(*) FILTER (round > first_round) > 0
)
SELECT n.note_id, n.kind, n.title, CASE WHEN t.is IN ('archived', 'quarantined') AND t.is IS DISTINCT FROM t.was THEN t.is
        WHEN t.before_revision IS NULL THEN 'begun'
        WHEN t.was IN ('archived', 'quarantined') AND t.is NOT IN ('archived', 'quarantined') THEN 'returned'
        WHEN t.before_revision <> t.after_revision THEN 'revised' WHEN t.is = 'published' THEN 'published'
        WHEN t.branches > 0 THEN 'branched' ELSE 'unchanged' END AS change,
    t.revisions, t.branches, t.authors, t.before_revision, t.after_revision, b.body AS before, a.body AS after
FROM notes_then t JOIN lake.notes n USING (note_id) LEFT JOIN lake.revisions b ON b.revision_id = t.before_revision
LEFT JOIN lake.revisions a ON a.revision_id = t.after_revision ORDER BY n.note_id;
COMMENT ON MACRO TABLE library_changes IS 'What became of the library from the end of one round to the end of another: one row a note that was written at, with the change (begun, revised, archived, quarantined, returned, published, branched or unchanged) and the texts before and after. What was begun and put out of sight since is archived or quarantined; it has no text before.';

-- Weights and where they come from ------------------------------------------------------------------

CREATE TEMP VIEW checkpoints AS
WITH steps AS (
    SELECT batch_id, count(*) AS steps, arg_max(loss, step) AS loss, arg_max(kl, step) AS kl,
        arg_max(entropy, step) AS entropy, sum(seconds) AS seconds FROM lake.updates GROUP BY batch_id
)
SELECT p.policy_version, p.policy, p.version, p.round, p.parent, p.base, p.accepted, p.reason, p.batch_id, b.rows, b.tokens,
    b.objectives, s.steps, s.loss, s.kl, s.entropy, s.seconds, p.path, p.sha256
FROM lake.policies p LEFT JOIN lake.batches b ON b.batch_id = p.batch_id LEFT JOIN steps s ON s.batch_id = p.batch_id
ORDER BY p.policy, p.version;
COMMENT ON VIEW checkpoints IS 'One row a policy version: what it came of, the batch that made it, and its last step.';
COMMENT ON COLUMN checkpoints.policy_version IS 'Version, as in spark@7.';
COMMENT ON COLUMN checkpoints.policy IS 'Policy by name.';
COMMENT ON COLUMN checkpoints.version IS 'Number within the policy, from 0.';
COMMENT ON COLUMN checkpoints.round IS 'Round in which it was made.';
COMMENT ON COLUMN checkpoints.parent IS 'Version that it came of; NULL for the first.';
COMMENT ON COLUMN checkpoints.base IS 'Base model.';
COMMENT ON COLUMN checkpoints.accepted IS 'Whether engines may load it.';
COMMENT ON COLUMN checkpoints.reason IS 'Why the learner refused it; NULL where accepted.';
COMMENT ON COLUMN checkpoints.batch_id IS 'Batch that it was trained on; NULL where it came of none.';
COMMENT ON COLUMN checkpoints.rows IS 'Size of the batch, in training rows.';
COMMENT ON COLUMN checkpoints.tokens IS 'Length of the batch, in tokens.';
COMMENT ON COLUMN checkpoints.objectives IS 'Objectives of the batch by name.';
COMMENT ON COLUMN checkpoints.steps IS 'Optimizer steps on the batch, in steps.';
COMMENT ON COLUMN checkpoints.loss IS 'Loss of the last step, in nats a token unless the objective says otherwise.';
COMMENT ON COLUMN checkpoints.kl IS 'KL divergence from the parent at the last step, in nats a token; NULL where not computed.';
COMMENT ON COLUMN checkpoints.entropy IS 'Entropy at the last step, in nats a token; NULL where not computed.';
COMMENT ON COLUMN checkpoints.seconds IS 'Time that the steps took, in seconds.';
COMMENT ON COLUMN checkpoints.path IS 'Where the weights are, relative to the run''s folder; of older versions only some are kept.';
COMMENT ON COLUMN checkpoints.sha256 IS 'SHA-256 of the weights, in hexadecimal.';

CREATE TEMP VIEW provenance AS
SELECT b.batch_id, b.round, b.row, b.role, b.objective, b.weight, b.advantage, made.policy_version AS trained,
    b.source_kind, b.source_id, p.problem_id, p.parent_id, p.proposer, p.policy_version AS proposed_by,
    a.solver, a.policy_version AS solved_by, a.arm, a.correct, r.rank, v.note_id,
    v.revision_id, v.author AS note_author, v.round AS note_round, v.policy_version AS note_by,
    w.path AS note_checkpoint, w.sha256 AS note_sha256
FROM lake.batch_rows b
LEFT JOIN lake.policies made ON made.batch_id = b.batch_id
LEFT JOIN lake.attempts a ON a.attempt_id = b.source_id
LEFT JOIN lake.problems p ON p.problem_id = CASE b.source_kind WHEN 'problem' THEN b.source_id ELSE a.problem_id END
LEFT JOIN lake.reads r ON r.attempt_id = b.source_id
LEFT JOIN lake.revisions v ON v.revision_id = CASE b.source_kind WHEN 'note' THEN b.source_id ELSE r.revision_id END
LEFT JOIN lake.policies w ON w.policy_version = v.policy_version;
COMMENT ON VIEW provenance IS 'Where a training row came from: one row a training row and note that its attempt was shown, or one alone where it was shown none, back to the checkpoint that wrote the note. Ask for one batch_id at a time where a run is long.';
COMMENT ON COLUMN provenance.batch_id IS 'Batch.';
COMMENT ON COLUMN provenance.round IS 'Round in which the batch was gathered.';
COMMENT ON COLUMN provenance.row IS 'Place in the batch, from 0.';
COMMENT ON COLUMN provenance.role IS 'Role in which the completion was written.';
COMMENT ON COLUMN provenance.objective IS 'Objective that it is trained with.';
COMMENT ON COLUMN provenance.weight IS 'Weight of the row in the loss, dimensionless.';
COMMENT ON COLUMN provenance.advantage IS 'Advantage, in the unit that the objective defines.';
COMMENT ON COLUMN provenance.trained IS 'Policy version that the batch made; NULL where none came of it yet.';
COMMENT ON COLUMN provenance.source_kind IS 'Kind of the thing it came from: attempt, problem or note.';
COMMENT ON COLUMN provenance.source_id IS 'Identifier of that thing.';
COMMENT ON COLUMN provenance.problem_id IS 'Problem that was attempted or proposed.';
COMMENT ON COLUMN provenance.parent_id IS 'Problem that it is a mutation of; NULL where fresh. problem_lineage goes on.';
COMMENT ON COLUMN provenance.proposer IS 'Agent that proposed the problem.';
COMMENT ON COLUMN provenance.proposed_by IS 'Policy version that wrote the problem; NULL where no policy did.';
COMMENT ON COLUMN provenance.solver IS 'Agent that attempted it; NULL where the row is of a proposal.';
COMMENT ON COLUMN provenance.solved_by IS 'Policy version that wrote the completion.';
COMMENT ON COLUMN provenance.arm IS 'Arm of the attempt.';
COMMENT ON COLUMN provenance.correct IS 'Whether the attempt was right.';
COMMENT ON COLUMN provenance.rank IS 'Place of the note in what the attempt was shown, from 0; NULL where it was shown none.';
COMMENT ON COLUMN provenance.note_id IS 'Note that it was shown, or that the row is of.';
COMMENT ON COLUMN provenance.revision_id IS 'Revision whose text was shown.';
COMMENT ON COLUMN provenance.note_author IS 'Agent that wrote the revision.';
COMMENT ON COLUMN provenance.note_round IS 'Round in which it was written.';
COMMENT ON COLUMN provenance.note_by IS 'Policy version that wrote it; NULL where no policy did.';
COMMENT ON COLUMN provenance.note_checkpoint IS 'Where the weights of that version are, relative to the run''s folder.';
COMMENT ON COLUMN provenance.note_sha256 IS 'SHA-256 of those weights, in hexadecimal.';

CREATE TEMP MACRO policy_changes(older, newer) AS TABLE
SELECT domain, cell, anchor_id, was, now, CASE WHEN now AND NOT was THEN 'gained' WHEN was AND NOT now THEN 'lost'
    WHEN now THEN 'kept' ELSE 'never' END AS change
FROM (
    SELECT domain, cell, anchor_id, arg_max(correct, round) FILTER (policy_version = older) AS was,
        arg_max(correct, round) FILTER (policy_version = newer) AS now
    FROM lake.evaluations WHERE policy_version IN (older, newer) GROUP BY domain, cell, anchor_id
) WHERE was IS NOT NULL AND now IS NOT NULL ORDER BY domain, cell, anchor_id;
COMMENT ON MACRO TABLE policy_changes IS 'What changed between two policy versions: one row an anchor that both were asked, with whether either solved it and the change (gained, lost, kept or never).';

-- Failures, trust and cost -----------------------------------------------------------------------------

CREATE TEMP VIEW failures AS
SELECT round, 'problem' AS what, failure_source AS source, split_part(reason, ':', 1) AS kind, reason AS detail, count(*) AS n
FROM lake.problems WHERE status = 'rejected' GROUP BY ALL
UNION ALL
SELECT round, 'attempt', failure_source, verdict, failure, count(*)
FROM lake.attempts WHERE failure_source IS NOT NULL AND NOT correct GROUP BY ALL
UNION ALL
SELECT round, 'decision', NULL, outcome, reason, count(*)
FROM lake.decisions WHERE outcome IN ('malformed', 'refused', 'lost') GROUP BY ALL
UNION ALL
SELECT round, 'event', source, kind, any_value(detail), count(*) FROM lake.events GROUP BY round, source, kind
UNION ALL
SELECT round, 'policy', 'learner', 'refused', reason, count(*) FROM lake.policies WHERE NOT accepted GROUP BY ALL;
COMMENT ON VIEW failures IS 'What failed, counted: one row a round, what it was, to whom it is attributed and why.';
COMMENT ON COLUMN failures.round IS 'Round.';
COMMENT ON COLUMN failures.what IS 'What failed: problem (rejected), attempt, decision, policy (refused by the learner), or an event of any kind.';
COMMENT ON COLUMN failures.source IS 'To whom it is attributed; NULL where nobody is to blame, as of a duplicate.';
COMMENT ON COLUMN failures.kind IS 'Short word for why, to count by.';
COMMENT ON COLUMN failures.detail IS 'Why, in words; of events one of them.';
COMMENT ON COLUMN failures.n IS 'How many.';

CREATE TEMP VIEW trust AS
WITH last AS (
    SELECT regexp_replace(name, '^reputation/', '') AS author, max(round) AS measured,
        max_by({'reputation': value, 'low': low, 'high': high}, round) AS found
    FROM lake.measures WHERE starts_with(name, 'reputation/') GROUP BY ALL
), texts AS MATERIALIZED (
    SELECT revision_id, author, outcome, evidence->>'recheck' AS said, parents FROM lake.revisions
), written AS (
    SELECT author, count(*) AS texts, count(*) FILTER (said = 'confirmed') AS confirmed,
        count(*) FILTER (said = 'refuted') AS refuted
    FROM texts WHERE outcome IN ('head', 'branch') GROUP BY author
), hidden AS (
    SELECT t.author, count(*) AS quarantined FROM texts q JOIN texts t ON t.revision_id = q.parents[1]
    WHERE q.outcome = 'quarantined' GROUP BY t.author
), known AS (
    SELECT agent_id AS author, arg_max(hostile, round) AS hostile FROM lake.agents GROUP BY agent_id
)
SELECT w.author, k.hostile, l.found.reputation, l.found.low, l.found.high, l.measured, w.texts, w.confirmed, w.refuted,
    coalesce(h.quarantined, 0) AS quarantined
FROM written w LEFT JOIN last l USING (author) LEFT JOIN hidden h USING (author) LEFT JOIN known k USING (author)
ORDER BY l.found.reputation, w.author;
COMMENT ON VIEW trust IS 'One row an author: how far its texts held by execution and by experiment.';
COMMENT ON COLUMN trust.author IS 'Agent.';
COMMENT ON COLUMN trust.hostile IS 'How it means to do harm, in a study of that; NULL where it does not.';
COMMENT ON COLUMN trust.reputation IS 'Its reputation, from 0 to 1, from measures; NULL where none of its texts was checked.';
COMMENT ON COLUMN trust.low IS 'Lower end of the 95% interval.';
COMMENT ON COLUMN trust.high IS 'Upper end of the 95% interval.';
COMMENT ON COLUMN trust.measured IS 'Round of that measure.';
COMMENT ON COLUMN trust.texts IS 'Texts that it wrote, in revisions.';
COMMENT ON COLUMN trust.confirmed IS 'Of these such as execution confirmed, in revisions.';
COMMENT ON COLUMN trust.refuted IS 'Of these such as execution refuted, in revisions.';
COMMENT ON COLUMN trust.quarantined IS 'Times that a text of it was put out of sight for harm or a refutation.';

CREATE TEMP VIEW costs AS
SELECT round, seconds, generated_tokens, trained_tokens, attempts, correct, seconds / nullif(correct, 0) AS seconds_per_correct,
    generated_tokens / nullif(correct, 0) AS tokens_per_correct, generating_seconds, verifying_seconds, training_seconds,
    sum(seconds) OVER (ORDER BY round) AS total_seconds, (sum(generated_tokens) OVER (ORDER BY round))::BIGINT AS total_generated,
    (sum(trained_tokens) OVER (ORDER BY round))::BIGINT AS total_trained
FROM lake.rounds ORDER BY round;
COMMENT ON VIEW costs IS 'One row a round: what it cost in time and tokens, what a right answer cost, and sums so far.';
COMMENT ON COLUMN costs.round IS 'Round.';
COMMENT ON COLUMN costs.seconds IS 'Time of the round, in seconds.';
COMMENT ON COLUMN costs.generated_tokens IS 'Completion tokens generated, in tokens.';
COMMENT ON COLUMN costs.trained_tokens IS 'Tokens trained on, in tokens.';
COMMENT ON COLUMN costs.attempts IS 'Attempts made, in attempts.';
COMMENT ON COLUMN costs.correct IS 'Of these right, in attempts.';
COMMENT ON COLUMN costs.seconds_per_correct IS 'Time of the round for each right attempt, in seconds; NULL where none was right.';
COMMENT ON COLUMN costs.tokens_per_correct IS 'Tokens generated for each right attempt, in tokens; NULL where none was right.';
COMMENT ON COLUMN costs.generating_seconds IS 'Time that the round waited for engines, in seconds.';
COMMENT ON COLUMN costs.verifying_seconds IS 'Time that the round waited for verifiers, in seconds.';
COMMENT ON COLUMN costs.training_seconds IS 'Time that the round waited for the learner, in seconds.';
COMMENT ON COLUMN costs.total_seconds IS 'Time of all rounds so far, in seconds.';
COMMENT ON COLUMN costs.total_generated IS 'Tokens generated so far, in tokens.';
COMMENT ON COLUMN costs.total_trained IS 'Tokens trained on so far, in tokens.';

CREATE TEMP VIEW population AS
SELECT a.agent_id, a.round AS since, a.roles, a.organisation, a.policy, a.neighbours, a.born, a.retired, a.hostile
FROM lake.agents a JOIN (SELECT agent_id, max(round) AS last FROM lake.agents GROUP BY agent_id) l
    ON l.agent_id = a.agent_id AND l.last = a.round ORDER BY a.agent_id;
COMMENT ON VIEW population IS 'One row an agent as it is now; one that has retired has no neighbours any more. What it was before is in agents.';
COMMENT ON COLUMN population.agent_id IS 'Agent.';
COMMENT ON COLUMN population.since IS 'Round from whose beginning on it is so.';
COMMENT ON COLUMN population.roles IS 'What it may act as.';
COMMENT ON COLUMN population.organisation IS 'Organisation that it belongs to.';
COMMENT ON COLUMN population.policy IS 'Policy whose weights it acts with.';
COMMENT ON COLUMN population.neighbours IS 'Agents whose shelves the topology lets it see; none once it has retired.';
COMMENT ON COLUMN population.born IS 'Round in which it joined.';
COMMENT ON COLUMN population.retired IS 'Round in which it was there no more; NULL while it is there.';
COMMENT ON COLUMN population.hostile IS 'How it means to do harm, in a study of that; NULL where it does not.';
