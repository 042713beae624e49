"""Words by the concept that they name, for classification without a model."""

from __future__ import annotations

from pixfound_tasks.grounding.phrases import content_words


def _words(text: str) -> frozenset[str]:
    """The words, normalized as `content_words` writes them."""
    return frozenset(content_words(text))


# Head nouns. Any other head noun names an object.
HEADS = {
    "appearance": _words(
        "appearance color colour hue shade tone tint pattern stripe texture design style shape "
        "outline silhouette material look display decoration finish gloss sheen "
        "black white red green blue yellow purple brown gray grey pink beige"
    ),
    "location": _words(
        "side left right top bottom middle center centre front back rear corner edge end position location place spot "
        "direction orientation row column part section portion half quarter level distance angle point border margin "
        "tail-end inside outside interior exterior north south east west northwest northeast southwest southeast"
    ),
    "part": _words(
        # of animals and people
        "head face eye ear nose mouth lip tooth tongue beak bill snout muzzle neck throat chin cheek forehead eyebrow "
        "hair beard mustache whisker mane fur feather wing tail fin flipper gill scale shell horn antler tusk trunk "
        "hoof paw claw talon leg arm hand finger thumb wrist elbow shoulder chest back belly stomach hip knee ankle "
        "foot feet heel toe skin body torso abdomen tentacle crest comb udder plumage "
        # of plants
        "petal stem stalk leaf branch twig bark root thorn bud pistil stamen kernel husk peel core pit "
        # of things
        "handle lid spout rim tip blade hilt knob button lever hinge latch seat armrest backrest headrest cushion "
        "wheel tire tyre hubcap bumper hood bonnet windshield windscreen headlight taillight fender grille "
        "exhaust dashboard pedal handlebar saddle mast hull bow stern propeller cockpit fuselage engine wing "
        "roof chimney windowsill balcony porch steeple arch column pillar facade "
        "keypad dial pointer sleeve pocket zipper hem cuff lapel strap buckle sole lace brim "
        "base lining frame crust topping filling nozzle bristle prong spine"
    ),
    "context": _words(
        "image picture photo photograph scene view background foreground backdrop setting surroundings environment "
        "atmosphere ambiance area region space place destination location landscape scenery cityscape skyline horizon "
        "habitat wilderness nature sky cloud air sun sunlight light lighting daylight day night morning evening "
        "afternoon sunset sunrise dusk dawn weather rain snow fog "
        "ground floor soil dirt sand grass lawn field meadow pasture garden yard backyard park forest wood woods "
        "jungle desert mountain hill hillside valley cliff slope beach shore shoreline coast ocean sea lake river "
        "stream pond pool water wave terrain path trail road street highway sidewalk pavement crosswalk "
        "intersection lot driveway alley parking city town village neighborhood countryside farm zoo museum stadium "
        "court arena playground room kitchen bathroom bedroom office hallway classroom restaurant store shop market "
        "garage indoors outdoors wall ceiling"
    ),
    "state": _words(
        "posture pose stance expression emotion smile frown grin gaze demeanor mood motion movement "
        "action activity flight condition state gesture sleep rest "
        "mid-air midair"
    ),
}

# Words before the head noun.
MODIFIERS = {
    "appearance": _words(
        "black white red green blue yellow orange purple brown gray grey pink gold golden silver beige tan cream "
        "maroon turquoise teal violet navy ivory crimson bronze colored coloured colorful colourful multicolored dark "
        "light bright vibrant pale vivid shiny glossy matte transparent translucent clear opaque "
        "wooden metal metallic plastic leather glass concrete brick stone ceramic cardboard paper woolen cotton "
        "striped spotted dotted plaid checkered patterned floral ornate intricate decorative plain rocky "
        "round rounded circular square rectangular triangular oval curved straight pointed pointy flat spiral "
        "skinny slender thin thick fluffy furry hairy fuzzy smooth rough textured style styled shaped like bearded"
    ),
    "location": _words(
        "left right top upper bottom lower middle center central front back rear left-hand right-hand leftmost "
        "rightmost topmost most far near nearest closest farthest nearby distant adjacent opposite inner outer"
    ),
    "state": _words(
        "open closed shut lit unlit broken cracked torn worn frozen bent folded raised lowered spread upright "
        "upside upside-down asleep awake eaten half-eaten fallen hidden full empty half-full wet dry ripe unripe "
        "rotten fresh cooked uncooked raw burnt melted sliced cut uncut peeled dirty clean alive dead happy sad angry "
        "tired sleepy calm alert active idle busy"
    ),
}

# Names of things. Their modifier does not describe the thing, or their head is not a place or part.
NAMES = frozenset(
    "orange juice;golden retriever;black bear;brown bear;red panda;gold fish;light bulb;light fixture;light switch;"
    "traffic light;street light;string light;fire engine;paper towel;straight razor;right angle;center console;"
    "rocking chair;frying pan;sleeping bag;walking stick;boxing glove;rolling pin;ironing board;racing car;"
    "hearing aid;flying saucer;fishing rod;folding chair;measuring cup;playing card".split(";")
)

# Words in -ing or -ed that do not describe a state.
NO_PARTICIPLES = _words(
    "interesting amazing stunning breathtaking captivating inviting appetizing charming appealing striking fascinating "
    "engaging imposing towering bustling surrounding existing corresponding remaining missing following leading "
    "steering dining living parking swimming shopping bathing sewing washing cutting baking wedding building ceiling "
    "evening morning string spring clothing lighting painting drawing railing speed hundred sacred naked "
    "located situated placed pictured depicted shown highlighted labeled named mentioned described identified "
    "detailed unidentified varied assorted mixed limited unexpected beloved renowned sophisticated distinguished "
    "dedicated related united"
)
