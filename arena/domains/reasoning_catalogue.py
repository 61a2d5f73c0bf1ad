"""The generators of ``reasoning-gym`` 0.1.25 that the domain of that name offers, and those left out.

Of the library's 106 generators 102 have curricula: levels for each attribute. All were tried here, at every
attribute's last level and beyond. Items have to come out the same in another process and another order, in
about a second, with a key that the library's own scorer takes for right, while it takes no nonsense for
right.

A curriculum ends where its list of levels does. Where an attribute goes on in whole numbers, its levels go
on as they ended (10, 25, 50, 100, 150, ...), if eight levels further on it still came to something.
"""

from __future__ import annotations

from typing import Final

OPEN: Final = 1000
"""Levels of an attribute that has no highest one; three digits are what a proposal may write."""

LEFT_OUT: Final[dict[str, str]] = {
    "boxnet": "it has no key, only a scorer",
    "rush_hour": "it has no key, only a scorer",
    "codeio": "it executes code that a language model wrote",
    "game_of_life_halting": "its scorer takes every answer for right",
    "knight_swap": "it refuses its own easiest levels, and takes seconds for the others",
    "word_ladder": "which item it makes depends on how many it is told to make",
    "sokoban": "it takes seconds for many items of its easiest levels",
}
"""Generators with curricula that are not offered, and why."""

GENERATORS: Final[dict[str, dict[str, int]]] = {
    "ab": {"length": 4},
    "advanced_geometry": {"min_coord": OPEN, "max_coord": OPEN},
    "aiw": {"task_type_weights": 9, "num_entities": OPEN},
    "arc_1d": {"size": 4},
    "arc_agi": {"rotations_weights": 4, "mirrors_weights": 4},
    "base_conversion": {"base": 5, "value": OPEN},
    "basic_arithmetic": {"num_terms": OPEN, "num_digits": OPEN},
    "bf": {"difficulty": 2},
    "binary_alternation": {"n": OPEN},
    "binary_matrix": {"p_zero": 4, "n": 4},
    "bitwise_arithmetic": {"difficulty": 10},
    "caesar_cipher": {"rotation": 2, "words": 4},
    "calendar_arithmetic": {"tasks": 4, "offset_upper_bound": OPEN},
    "chain_sum": {"num_terms": OPEN, "num_digits": OPEN},
    "circuit_logic": {"terms": 5, "inputs": 5},
    "coin_flip": {"num_trials": OPEN},
    "color_cube_rotation": {"rotations": 5},
    "complex_arithmetic": {
        "min_real": OPEN,
        "max_real": OPEN,
        "min_imag": OPEN,
        "max_imag": OPEN,
        "operations_weights": 4,
    },
    "count_bits": {"n": OPEN},
    "count_primes": {"n": OPEN},
    "countdown": {"numbers": 5, "target": 5, "value": 4},
    "course_schedule": {"num_courses": 5, "num_prerequisites": OPEN, "cycle_length": OPEN},
    "cryptarithm": {"words": OPEN},
    "decimal_arithmetic": {"decimal_places": 4, "precision": OPEN, "num_terms": OPEN},
    "decimal_chain_sum": {"num_terms": OPEN, "num_digits": OPEN, "decimal_places": OPEN},
    "dice": {"num_dice": OPEN, "max_dice_size": OPEN},
    "emoji_mystery": {"num_words_in_sentence": 6},
    "family_relationships": {"family_size": OPEN},
    "figlet_font": {"word_len": 6},
    "fraction_simplification": {"value": OPEN, "factor": OPEN},
    "futoshiki": {"board_size": 3, "difficulty": OPEN},
    "game_of_life": {
        "grid_size_x": 4,
        "grid_size_y": 4,
        "filled_cells_weights": 4,
        "simulation_steps": OPEN,
    },
    "gcd": {"num_terms": OPEN, "value": OPEN},
    "graph_color": {"num_vertices": OPEN, "num_colors": 3},
    "group_anagrams": {"anagram_groups": 4, "words_per_group": OPEN},
    "intermediate_integration": {"problem_type_weights": 8},
    "isomorphic_strings": {"string_length": 4},
    "jugs": {"num_jugs": 2, "difficulty": 2},
    "kakurasu": {"rows": 4, "cols": 4, "p_ones": 4},
    "knights_knaves": {"n_people": 4, "depth_constraint": 2, "width_constraint": 2},
    "largest_island": {"rows": OPEN, "cols": OPEN, "num_islands": OPEN, "island_size": OPEN},
    "lcm": {"numbers": OPEN, "value": OPEN},
    "leg_counting": {"num_animals": 36, "num_instances": OPEN},
    "letter_counting": {"words": OPEN},
    "letter_jumble": {"word_len": OPEN, "words": OPEN, "corruption_level": 4},
    "mahjong_puzzle": {"num_rounds": 4},
    "manipulate_matrix": {"rows": 4, "cols": 4, "num_transforms": OPEN},
    "maze": {"dist": 4, "grid_size": 4},
    "mini_sudoku": {"empty": 5},
    "modulo_grid": {"size_x": 4, "size_y": 4, "max_holes": OPEN, "max_divisor": OPEN, "max_target": OPEN},
    "n_queens": {"n": 5, "num_removed": 5},
    "needle_haystack": {"num_statements": 4},
    "number_filtering": {"numbers": 4, "decimals": OPEN, "min_value": OPEN, "max_value": OPEN},
    "number_format": {"num_candidates": 4, "n": OPEN, "max_delta": 4},
    "number_sequence": {"terms": 4, "min_value": OPEN, "max_value": OPEN, "max_complexity": OPEN},
    "number_sorting": {"numbers": 4, "decimals": OPEN, "min_value": OPEN, "max_value": OPEN},
    "palindrome_generation": {"length": 4},
    "palindrome_partitioning": {"string_len": 4, "substring_palindrome_len": 4},
    "path_star": {"degree": OPEN, "node_range": OPEN, "path_length": OPEN},
    "polynomial_equations": {"degree": OPEN, "terms": OPEN},
    "polynomial_multiplication": {
        "min_terms": 4,
        "max_terms": OPEN,
        "min_value": 4,
        "max_value": OPEN,
        "min_degree": 4,
        "max_degree": OPEN,
        "min_polynomials": 4,
        "max_polynomials": OPEN,
    },
    "pool_matrix": {"rows": 4, "cols": 4, "pool_size": OPEN},
    "power_function": {"exponent": OPEN},
    "prime_factorization": {"value": OPEN},
    "products": {"num_terms": OPEN, "num_digits": OPEN},
    "propositional_logic": {"vars": OPEN, "statements": OPEN, "complexity": 5},
    "puzzle24": {"value": 6},
    "quantum_lock": {"difficulty": OPEN},
    "ransom_note": {"note_length": 4, "magazine_length": OPEN},
    "rearc": {"pso_difficulty_weights": 7, "rng_difficulty_weights": 7},
    "rectangle_count": {"max_rectangles": OPEN},
    "rotate_matrix": {"n": 4, "num_rotations": OPEN},
    "rotten_oranges": {"n": 4},
    "rubiks_cube": {"cube_size": 1, "scramble_steps": OPEN},
    "self_reference": {"difficulty": 10},
    "sentence_reordering": {"words_in_sentence": 4},
    "shortest_path": {"rows": 4, "cols": 4},
    "simple_equations": {
        "min_terms": 4,
        "max_terms": OPEN,
        "min_value": 4,
        "max_value": OPEN,
        "operators_weights": 4,
    },
    "simple_geometry": {"sides": OPEN},
    "simple_integration": {"terms": OPEN},
    "spell_backward": {"word_len": OPEN},
    "spiral_matrix": {"n": 4},
    "string_insertion": {"string_length": OPEN},
    "string_manipulation": {"string_length": OPEN, "num_rules": 5},
    "string_splitting": {"initial_machines": OPEN},
    "string_synthesis": {"initial_blocks": OPEN},
    "sudoku": {"empty": 5},
    "survo": {"board_size": OPEN, "empty": 4},
    "syllogism": {"allow_all": 4, "allow_no": 4, "allow_some": 4, "allow_some_not": 4},
    "time_intervals": {"max_time_difference_seconds": OPEN, "max_date_difference_days": OPEN},
    "tower_of_hanoi": {"num_disks": 4, "num_pegs": OPEN},
    "tsumego": {"board_size": 4, "max_stones": 4},
    "word_sequence_reversal": {"words": OPEN},
    "word_sorting": {"num_words": OPEN, "word_length": 4},
    "zebra_puzzles": {"num_people": 5, "num_characteristics": 6},
}
"""Generators by name, with their attributes and how many levels each has, from 0."""

ANCHORED: Final = (0, 2, 5)
"""Levels of the anchors of all generators together; an attribute without such a level is at its highest."""

CATEGORIES: Final[dict[str, tuple[str, ...]]] = {
    "logic": (
        "aiw",
        "knights_knaves",
        "self_reference",
        "syllogism",
    ),
    "arithmetic": (
        "basic_arithmetic",
        "bitwise_arithmetic",
        "calendar_arithmetic",
        "chain_sum",
        "count_bits",
        "decimal_arithmetic",
        "decimal_chain_sum",
        "dice",
        "fraction_simplification",
        "gcd",
        "lcm",
        "leg_counting",
        "power_function",
        "prime_factorization",
        "products",
        "time_intervals",
    ),
    "algebra": (
        "complex_arithmetic",
        "simple_equations",
        "simple_integration",
    ),
    "geometry": (
        "simple_geometry",
        "advanced_geometry",
    ),
    "algorithmic": (
        "ab",
        "base_conversion",
        "binary_alternation",
        "count_primes",
        "cryptarithm",
        "isomorphic_strings",
        "letter_counting",
        "palindrome_generation",
        "ransom_note",
        "sentence_reordering",
        "string_insertion",
        "string_manipulation",
        "string_synthesis",
        "word_sequence_reversal",
        "word_sorting",
    ),
    "graphs": (
        "family_relationships",
        "path_star",
        "quantum_lock",
    ),
    "games": (
        "emoji_mystery",
        "mini_sudoku",
        "survo",
        "tsumego",
    ),
    "cognition": ("color_cube_rotation",),
    "arc": ("arc_1d",),
}
"""Generators that anchors of all generators together are of: those that take milliseconds at every
level. The categories are the library's."""
