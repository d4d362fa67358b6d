"""Fixed lists of phrases: what an image is described with, and what it is certainly not about."""

from __future__ import annotations

# The curated list of the PAPERCLIP paper (arXiv 2403.08851) for retrieving texts by image.
PAPER_PHRASES = (
    "star forming galaxies", "lyman alpha", "dust", "crowded stellar field", "core-collapse supernova", "cosmology",
    "gravitational lensing", "supernovae", "diffuse galaxies", "globular clusters", "stellar populations", "interstellar medium",
    "black holes", "dark matter", "galaxy clusters", "galaxy evolution", "galaxy formation", "quasars", "circumstellar disks",
    "exoplanets", "Kuiper Belt objects", "solar system objects", "cosmic web structure", "distant galaxies", "galaxy mergers",
    "galaxy interactions", "star formation", "stellar winds", "brown dwarfs", "white dwarfs", "nebulae", "star clusters",
    "galaxy archeology", "galactic structure", "active galactic nuclei", "gamma-ray bursts", "stellar nurseries",
    "intergalactic medium", "dark energy", "dwarf galaxies", "barred spiral galaxies", "irregular galaxies", "starburst galaxies",
    "low surface brightness galaxies", "ultra diffuse galaxies", "circumgalactic medium", "intracluster medium", "cosmic dust",
    "interstellar chemistry", "star formation histories", "initial mass function", "stellar proper motions", "binary star systems",
    "open clusters", "pre-main sequence stars", "protostars", "protoplanetary disks", "jets and outflows", "interstellar shocks",
    "planetary nebulae", "supernova remnants", "red giants", "Cepheid variables", "RR Lyrae variables", "stellar abundances",
    "stellar dynamics", "compact stellar remnants", "Einstein rings", "trans-Neptunian objects", "cosmic microwave background",
    "reionization epoch", "first stars", "first galaxies", "high-redshift quasars", "primordial black holes", "resolved binaries",
    "binary stars",
)

# What no telescope archive shows. Changing the list changes every percentile, so that indexes must then be rebuilt.
UNRELATED_TEXTS = (
    "a bowl of vegetable soup", "a tax return form", "children playing football", "a red bicycle against a wall", "a wedding cake",
    "a dog asleep on a sofa", "a business meeting in an office", "a traffic jam on a motorway", "a plate of spaghetti", "a grand piano",
    "a cat in a cardboard box", "a supermarket shelf", "a pair of running shoes", "a kitchen with wooden cupboards", "a train station",
    "a horse in a meadow", "a cup of coffee and a newspaper", "a man wearing a suit", "a woman riding a scooter", "a birthday party",
    "a tennis match", "a construction site with a crane", "a field of tulips", "a school bus", "a washing machine", "a fishing boat",
    "a sheep farm", "a map of the underground", "a hospital corridor", "a bookshelf full of novels", "a steak with chips",
    "a guitar player on a stage", "an umbrella in the rain", "a snowman in a garden", "a swimming pool", "a motorcycle helmet",
    "a shopping receipt", "a screenshot of a web shop", "a dentist at work", "a crowded beach", "an elephant at a waterhole",
    "a bridge over a river", "a vase of roses", "a pile of laundry", "a chess board", "a basket of apples", "a bathroom mirror",
    "a hair salon", "a carnival parade", "a tractor ploughing a field", "a glass of red wine", "a jigsaw puzzle", "a cooking recipe",
    "a football scoreboard", "a hotel lobby", "a pencil drawing of a hand", "a flight of stairs", "a row of parked cars",
    "a flock of pigeons", "a loaf of bread", "a leather handbag", "a toothbrush", "a parliament debate", "a music festival poster",
)
