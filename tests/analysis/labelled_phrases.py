"""Noun phrases of models' answers, each labelled by hand with the concept it names.

`TUNED` was labelled before the word list was written, and the word list was made with it in sight. `WRITTEN` of it are
phrases in the manner of answers to referring prompts; the others stand in answers of LLaVA-1.5 7B (LLaVA-Bench,
questions 1 to 19, and MM-Vet), in reading order, each once, abstract ones ("a sense of warmth") left out.
`HELD_OUT` are phrases of answers that were read, and labelled, once the word list was finished (LLaVA-Bench, questions
20 to 59); the word list was not changed after it. States and parts are rare in it.
What a phrase was labelled by: a head that names a place, a setting, a look or a state decides. Of a part or a thing a
modifier of state decides ("an open mouth"). Then a part is a part, whatever its colour. Of a thing a modifier of
colour, material, pattern or shape decides, then one of place; sizes and numbers do not.
"""

from __future__ import annotations

TUNED_ANSWERS = {
    "appearance": (
        "a wooden table; a colorful and appetizing display; a Renaissance-style dress; a human-like appearance; "
        "the intricate design; the artistic style; a small brown dog; a wooden surface; a tall, skinny building; "
        "a blue hat; the blue car; a yellow suit"
    ),
    "location": ("the left side; the middle; the right side; the center; top; the front left; the right most bottle"),
    "part": "its head; her face; a nose; the eyes",
    "context": (
        "a breathtaking view; a large, rocky mountain; a lush green forest; the mountain; a beach; "
        "a picturesque scene; the sunny day; the sandy shore; the background; the area; "
        "a popular tourist destination; a residential area; the majestic mountain; "
        "a serene and inviting atmosphere; the overall scene; the floor; the scene; a city; a cityscape; the sky; "
        "the foreground; the image; the bustling atmosphere; the city; the air; the parking lot"
    ),
    "object": (
        "people; several individuals; several houses; buildings; the houses; a basket; fruit; a variety; apples; "
        "three apples; two oranges; a banana; the table; a cluster; grapes; the assortment; a painting; a dog; "
        "a chair; the viewer; the dress; a person; the subject matter; a caption; a woman; a portrait; "
        "a famous artist; a veil; attire; a large antenna; the building; other buildings; the antenna; "
        "several cars; a truck; traffic; the smaller jet; the larger jet; the motorcyclist; the number; the girl; "
        "the board"
    ),
    "state": "the dog's facial expression; the dog's sleepy demeanor; a smile; a distinctive smile; her expression",
}

WRITTEN = {
    "appearance": (
        "a black and white dog; a bright red color; a yellow school bus; a white key; vibrant colors; "
        "a striped pattern; a wooden fence; a shiny metal surface; a round clock; a leather couch; a heart shape; "
        "a silver spoon; a fluffy texture; a red and white lighthouse; a plaid shirt; a purple flower; "
        "transparent glass doors; a curved shape"
    ),
    "location": (
        "the upper left corner; the front; the top row; the lower part; the driver's side; the edge; "
        "the bottom right; the far left; the opposite direction; the corner; the right-hand side; the nearest table"
    ),
    "part": (
        "the butterfly's wings; orange wings; the bus's windshield; the peacock's tail feathers; the petals; "
        "the animal's dorsal fin; the handle; the rear wheel; the hood; the steering wheel; the left ear; "
        "the hour hand; the elephant's tusks; its trunk; the beak; the tip; the person's hand; the stem; the teeth; "
        "the roof; the child's feet"
    ),
    "context": (
        "the water's surface; the ocean; a grassy field; a snowy landscape; the street; the kitchen; a living room; "
        "the sidewalk; a dark background; a rainy day; the ceiling; sunlight; its natural habitat"
    ),
    "object": (
        "the flame; the keyboard; a shadow; a glass; orange juice; the letters; the word STOP; a stop sign; "
        "two elephants; a spider web; the collar; a bunch; a crowd; a golden retriever; the American flag"
    ),
    "state": (
        "an open mouth; a lit match; a sitting position; a relaxed posture; closed eyes; a sleeping cat; "
        "a half-eaten sandwich; a standing man; flight; motion; a parked car; an upside-down position; a raised paw; "
        "a broken window; the upright position; an empty plate; a folded napkin; a running dog; "
        "a melting ice cream cone; a lit candle"
    ),
}

HELD_OUT_ANSWERS = {
    "appearance": (
        "a distinctive appearance; the character's design; his overall look; a yellow taxi cab; a blue shirt; "
        "detailed design; the shape; a blue charger; its blue color; a small blue device; plastic; glass; "
        "a unique and eye-catching appearance; a red and black color scheme; a large red fire-like element; "
        "the red and black colors; a large brown bear; a white cat; a handwritten list; the handwriting style; "
        "a handwritten sign; blue ink; a casual, informal style; a visually appealing presentation; "
        "their delicious and appetizing appearance"
    ),
    "location": (
        "the back; the vicinity; the left part; the top shelf; the bottom shelf; their front; the far left side; "
        "the edges; various positions; line; both directions; various points"
    ),
    "part": ("different compartments; the man's finger; a person's head; a person's hand; its paw; their paws; leaves"),
    "context": (
        "this place; the summer months; the daytime; the view; the photo; this location; a large body; water; "
        "the weather conditions; strong winds; the environment; a popular spot; a lake; mountains; the golden hour; "
        "sunrise; soft, warm light; more dramatic lighting; the surrounding landscape; the picturesque scenery; "
        "a busy street; greenery; the urban environment; a classroom; a workspace; a close-up; the third picture; "
        "a black background; a peaceful and harmonious setting; the forest; a romantic scene; a storm; "
        "an inviting atmosphere; the close-up view; a busy highway; every lane; the urban landscape; a large city; "
        "the busy roads; the shoulder"
    ),
    "object": (
        "the tall building; the Space Needle; the character; a young boy; glasses; a bow tie; a suit; a pier; trees; "
        "wildlife; other visitors; softer shadows; the pier's structure; a man; a clothesline; the shirt; the taxi; "
        "other vehicles; a car; a few potted plants; a handbag; someone; the passengers; a washing machine; clothes; "
        "strawberries; the fridge; a container; strawberry-flavored yogurt; a refrigerator; various food items; "
        "multiple bottles; milk; the bottles; several carrots; a bowl; a pan; fried chicken pieces; a map; the pan; "
        "continents; a dining table; a globe; the dish; a comic strip; a whiteboard; a graph; another person; "
        "a group; a visual aid; a collage; three pictures; a cell phone; a remote control; the third panel; "
        "the creature; the logo; a fire hydrant; a bear; a cat; food; a meal; a donut; a cup; their plates; birds; "
        "a piece; paper; the paper; a notebook; the title; the writing; a boat; the two main characters; "
        "a large bowl; soup; noodles; a spoon; two large subway sandwiches; lettuce; heavy traffic; numerous cars; "
        "multiple traffic lights"
    ),
    "state": "his smiling expression; a moving yellow taxi; the man's actions; a passionate kiss",
}


def labels(*sources: dict[str, str]) -> list[tuple[str, str]]:
    """Phrases and the concept that each was labelled with."""
    return [(phrase, concept) for source in sources for concept, text in source.items() for phrase in text.split("; ")]


TUNED = labels(TUNED_ANSWERS, WRITTEN)
HELD_OUT = labels(HELD_OUT_ANSWERS)
