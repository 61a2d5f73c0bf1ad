-- A log of made-up rows for benchmarks/queries.py. ${NAME} stands for a number; each part begins with a line -- NAME.

-- HELPERS
CREATE TEMP MACRO name(letter, i) AS format('{}{:016x}', letter, hash(i::BIGINT));
CREATE TEMP MACRO pick(n, i, what) AS (hash(i, what) % n::UBIGINT)::BIGINT;
CREATE TEMP MACRO share(i, what) AS pick(1000000, i, what) / 1000000;
CREATE TEMP MACRO agent(kind, i) AS kind || '-' || pick(${agents}, i, kind);
CREATE TEMP MACRO tokens(i, n) AS [pick(512, i, k)::INTEGER FOR k IN range(n)];
CREATE TEMP MACRO logprobs(i, n) AS [-share(i, k) FOR k IN range(n)];

-- PROBLEMS
INSERT INTO problems BY NAME
SELECT name('p', i) AS problem_id, i // ${problems_each} AS round,
    ['transforms', 'arithmetic'][1 + i % 2] AS domain, if(parent IS NULL, 'fresh', 'mutate') AS request,
    if(parent IS NULL OR i % 3 = 0, 'policy', 'mutation') AS origin, 5 + round / 10 AS target_difficulty,
    if(parent IS NULL, NULL, name('p', parent)) AS parent_id, agent('author', i) AS proposer,
    if(parent IS NULL OR i % 3 = 0, 'proposer@' || round, NULL) AS policy_version,
    'ask ' || (i % 40) AS prompt, 'text ' || i AS text, tokens(i, 8) AS token_ids, logprobs(i, 8) AS logprobs,
    if(bad, NULL, 'spec ' || i) AS spec, if(bad, NULL, i::VARCHAR) AS answer_key,
    if(bad, []::VARCHAR[], [i::VARCHAR]) AS worked, '{"length":5,"operations":2}' AS features,
    if(bad, NULL, 5 + round / 10 + 10 * share(i, 'd')) AS difficulty,
    if(bad OR twice, 'rejected', 'admitted') AS status,
    CASE WHEN bad THEN ['invalid:syntax', 'invalid:empty', 'invalid:too_long'][1 + i % 3]
        WHEN twice THEN 'duplicate' END AS reason,
    if(bad, 'proposer', NULL) AS failure_source, if(bad OR twice, NULL, share(i, 'pay')) AS payment
FROM (
    SELECT range AS i, share(range, 'bad') < 0.08 AS bad, share(range, 'twice') < 0.01 AS twice,
        if(share(range, 'fresh') < 0.6 OR range < 8, NULL,
            greatest(range - 1 - pick(5 * ${problems_each}, range, 'up'), 0)) AS parent
    FROM range(${first} // 4, ${end} // 4)
)

-- ATTEMPTS
INSERT INTO attempts BY NAME
SELECT name('t', i) AS attempt_id, round, name('p', p) AS problem_id,
    ['transforms', 'arithmetic'][1 + p % 2] AS domain, agent('pupil', i) AS solver,
    'solver@' || round AS policy_version, round * ${revisions_each} AS library_version, arm,
    if(arm = 'none', 0, 1 + i % 2) AS dose, 'terse' AS form, replay, 'prompt of problem ' || p || '=' AS prompt,
    'answer ' || i AS completion, tokens(i, 8) AS token_ids, logprobs(i, 8) AS logprobs, 1 AS turns,
    if(verdict = 'malformed', NULL, i::VARCHAR) AS answer, verdict, verdict = 'correct' AS correct,
    (verdict = 'correct')::DOUBLE AS reward, 12 AS prompt_tokens,
    CASE verdict WHEN 'malformed' THEN 'solver' WHEN 'error' THEN 'infrastructure' END AS failure_source,
    CASE verdict WHEN 'malformed' THEN 'no answer in the completion' WHEN 'error' THEN 'engine lost' END AS failure
FROM (
    SELECT *, CASE WHEN share(i, 'v') < 0.3 + 0.05 * (arm = 'library')::INT THEN 'correct'
        WHEN share(i, 'v') < 0.4 THEN 'malformed' WHEN share(i, 'v') > 0.999 THEN 'error' ELSE 'wrong' END AS verdict
    FROM (
        SELECT range AS i, range // (4 * ${problems_each}) AS round, share(range, 'r') < 0.1 AND range > 4 AS replay,
            if(share(range, 'r') < 0.1 AND range > 4, pick(range // 4, range, 'old'), range // 4)::BIGINT AS p,
            ['library', 'library', 'placebo', 'shuffled', 'none', 'none', 'none', 'none'][1 + pick(8, range, 'arm')] AS arm
        FROM range(${first}, ${end})
    )
)

-- READS
INSERT INTO reads BY NAME
SELECT attempt_id, round, solver AS reader, name('n', if(v % 2 = 0, v // 2, pick(v // 2 + 1, v, 'n'))) AS note_id,
    name('v', v) AS revision_id, arm, rank, 9 AS tokens, false AS explored
FROM (
    SELECT attempt_id, round, solver, arm, unnest(range(dose)) AS rank,
        pick(greatest(round * ${revisions_each}, 1), attempt_id, rank) AS v
    FROM attempts WHERE arm <> 'none' AND round > 0 AND round BETWEEN ${first_round} AND ${last_round}
)

-- ROWS
INSERT INTO batch_rows BY NAME
SELECT name('b', round) AS batch_id, round, row_number() OVER (PARTITION BY round ORDER BY source_id) - 1 AS row,
    role, 'answer_key' AS objective, source_kind, source_id, problem_id AS group_id, prompt, completion, token_ids,
    logprobs, 1.0 AS weight, 1.0 AS advantage
FROM (
    SELECT round, 'solver' AS role, 'attempt' AS source_kind, attempt_id AS source_id, problem_id, prompt,
        completion, token_ids, logprobs
    FROM attempts WHERE correct AND round BETWEEN ${first_round} AND ${last_round}
    UNION ALL
    SELECT round, 'proposer', 'problem', problem_id, problem_id, prompt, text, token_ids, logprobs
    FROM problems WHERE status = 'admitted' AND round BETWEEN ${first_round} AND ${last_round}
)

-- LIBRARY
INSERT INTO notes BY NAME
SELECT name('n', range) AS note_id, 2 * range // ${revisions_each} AS round,
    ['example', 'lesson', 'strategy', 'example', 'lesson', 'example', 'chapter', 'example', 'lesson', 'book'][1 + range % 10] AS kind,
    ['transforms', 'arithmetic'][1 + range % 2] AS domain, 'public' AS shelf, 'title ' || range AS title,
    agent('pupil', range) AS author FROM range(${revisions} // 2);
INSERT INTO revisions BY NAME
SELECT name('v', j) AS revision_id, name('n', n) AS note_id, j // ${revisions_each} AS round, agent('pupil', j) AS author,
    'solver@' || round AS policy_version, if(j % 2 = 0, []::VARCHAR[], [name('v', 2 * n)]) AS parents,
    CASE WHEN j % 2 = 0 THEN 'head' ELSE ['head', 'head', 'head', 'head', 'head', 'head', 'merged', 'branch', 'archived',
        'quarantined'][1 + pick(10, j, 'o')] END AS outcome,
    'lesson ' || j || ': ' || repeat('do this; ', 6) AS body, 20 AS tokens,
    CASE WHEN outcome = 'quarantined' THEN '{"reason":"refuted"}' WHEN n % 10 = 6 THEN '{"chapter":' || (1 + n // 10 % 5) || '}'
        WHEN share(j, 'c') < 0.5 THEN '{"recheck":"confirmed"}' WHEN share(j, 'c') < 0.6 THEN '{"recheck":"refuted"}'
        ELSE '{}' END AS evidence, j + 1 AS library_version
FROM (SELECT range AS j, if(range % 2 = 0, range // 2, pick(range // 2 + 1, range, 'n')) AS n FROM range(${revisions}));
INSERT INTO citations BY NAME
SELECT revision_id, round, if(j % 10 = 6, 'note', ['problem', 'attempt', 'note'][1 + j % 3]) AS target_kind,
    CASE target_kind WHEN 'problem' THEN name('p', pick(${problems}, j, 'p')) WHEN 'attempt' THEN name('t', pick(${attempts}, j, 't'))
        ELSE name('n', greatest(pick(j + 1, j, 'n') // 10 * 10 - 1, 0)::BIGINT) END AS target_id
FROM (SELECT revision_id, round, (library_version - 1) // 2 AS j FROM revisions);
INSERT INTO decisions BY NAME
SELECT name('d', range) AS decision_id, range * ${rounds} // ${decisions} AS round, agent('pupil', range) AS agent_id,
    'solver@' || round AS policy_version, 'transforms' AS domain, name('p', range) AS problem_id, NULL AS club,
    [name('v', range), name('v', range + 1)] AS read, 'desk' AS prompt, 'write lesson' AS completion,
    ['leave', 'write', 'revise', 'review', 'dispute', NULL][1 + range % 6] AS action, NULL AS note_id,
    ['left', 'written', 'written', 'refused', 'written', 'malformed'][1 + range % 6] AS outcome,
    [NULL, NULL, NULL, 'duplicate', NULL, 'no action'][1 + range % 6] AS reason FROM range(${decisions});

-- REST
INSERT INTO runs BY NAME SELECT 'r' AS run_id, 'made up' AS name, ${seed} AS seed, now() AS started_at,
    '{"curriculum":{"strategy":"learnability"}}' AS config, '0' AS code_version, '{}' AS packages;
INSERT INTO rounds BY NAME SELECT range AS round, now() AS started_at, ${problems_each} AS requested, requested AS proposed,
    requested AS valid, 0 AS duplicate, requested AS admitted, 4 * requested AS attempts, 2 * requested AS correct,
    5.0 + range / 10 AS mean_difficulty, (range + 1) * ${revisions_each} AS library_version, 8 * attempts AS generated_tokens,
    6 * attempts AS trained_tokens, '{}' AS state, 0.1 AS request_seconds, 1.0 AS propose_seconds, 3.0 AS attempt_seconds,
    0.2 AS judge_seconds, 0.1 AS write_seconds, 4.0 AS learn_seconds, 0.0 AS sleep_seconds, 0.5 AS evaluate_seconds,
    3.5 AS generating_seconds, 0.2 AS verifying_seconds, 4.0 AS training_seconds, 0.1 AS previous_commit_seconds,
    '{"arena":0.5}' AS peak_memory, 9.0 AS seconds FROM range(${rounds});
INSERT INTO agents BY NAME SELECT kind || '-' || range AS agent_id, 0 AS round, [if(kind = 'pupil', 'solver', 'proposer')] AS roles,
    'org' || (range % 4) AS organisation, '' AS persona, if(kind = 'pupil', 'solver', 'proposer') AS policy,
    [kind || '-' || ((range + k) % ${agents}) FOR k IN [-1, 1]] AS neighbours, 0 AS born, NULL AS retired, NULL AS hostile
    FROM range(${agents}), (VALUES ('pupil'), ('author')) t(kind);
INSERT INTO policies BY NAME SELECT policy || '@' || range AS policy_version, policy, range AS version, greatest(range - 1, 0) AS round,
    'spark' AS base, if(range = 0, NULL, policy || '@' || (range - 1)) AS parent,
    if(range = 0 OR policy <> 'solver', NULL, name('b', range - 1)) AS batch_id, 'checkpoints/' || policy_version AS path,
    md5(policy_version) AS sha256, true AS accepted, NULL AS reason FROM range(${rounds} + 1), (VALUES ('solver'), ('proposer')) t(policy);
INSERT INTO batches BY NAME SELECT name('b', range) AS batch_id, range AS round, 'solver' AS policy, 'solver@' || range AS parent,
    ['answer_key'] AS objectives, 1000 AS rows, 20000 AS tokens, 'batches/x' AS path FROM range(${rounds});
INSERT INTO updates BY NAME SELECT name('b', range) AS batch_id, range AS round, 'solver' AS policy, 'solver@' || (range + 1) AS policy_version,
    20 * range + k AS step, 1.0 AS loss, 0.01 AS kl, 1.0 AS entropy, 1.0 AS grad_norm, NULL AS clip_fraction, NULL AS sampling_gap,
    1e-4 AS learning_rate, 50 AS rows, 1000 AS tokens, 0.2 AS seconds FROM range(${rounds}), unnest(range(20)) t(k);
INSERT INTO evaluations BY NAME SELECT range * 5 AS round, 'solver@' || (range * 5) AS policy_version,
    ['transforms', 'arithmetic'][1 + k % 2] AS domain, 'a' || k AS anchor_id, (1 + k % 4) || 'x' || (1 + k % 8) AS cell, '{}' AS features,
    '' AS completion, share(range, k) < range / 200 AS correct FROM range(${rounds} // 5), unnest(range(384)) t(k);
INSERT INTO revisits BY NAME SELECT range * 5 AS round, 'solver@' || (range * 5) AS policy_version, 'transforms' AS domain,
    name('p', k * ${problems_each}) AS problem_id, k AS posed, '' AS completion, share(range, k) < 0.5 AS correct
    FROM range(1, ${rounds} // 5), unnest(range(range * 5)) t(k);
INSERT INTO measures BY NAME
SELECT range AS round, 'zone/solver' AS name, 'transforms' AS domain, 0.5 AS value, NULL AS low, NULL AS high, 500 AS n FROM range(${rounds})
UNION ALL SELECT range * 5, 'ability/solver', 'transforms', range / 20 - 2, range / 20 - 3, range / 20 - 1, 192 FROM range(${rounds} // 5)
UNION ALL SELECT range * 5, 'worth/note/' || name('n', pick(${revisions} // 2, range, k)), '', share(range, k) - 0.5, -0.5, 0.5, 40
    FROM range(${rounds} // 5), unnest(range(${measured})) t(k)
UNION ALL SELECT range * 5, 'reputation/pupil-' || k, '', share(range, k), 0.1, 0.9, 40 FROM range(${rounds} // 5), unnest(range(${agents})) t(k);
INSERT INTO events BY NAME SELECT range * ${rounds} // ${decisions} AS round, now() AS "at", 'solver' AS source, 'malformed' AS kind,
    name('t', range) AS subject, 'no answer' AS detail FROM range(${decisions});
