// The table that `emoji.js` reads: emoji, name, further words, in the order in which a picker shows
// them: faces, hands and people, hearts, nature, food, things to do, travel, objects, signs, flags.

export const EMOJI_LINES = `
😀 grinning smile happy
😃 smiley happy joy
😄 smile happy laugh
😁 grin teeth
😆 laughing satisfied haha
😅 sweat_smile relief phew
😂 joy laugh tears lol
🤣 rofl laugh floor
🙂 slightly_smiling_face ok
🙃 upside_down_face irony
😉 wink flirt
😊 blush shy pleased
😇 innocent angel halo
🥰 smiling_face_with_hearts love
😍 heart_eyes love
🤩 star_struck wow
😘 kissing_heart kiss
😋 yum tasty
😛 stuck_out_tongue prank
😜 stuck_out_tongue_winking_eye joke
🤪 zany_face crazy
🤗 hugs hug
🤭 hand_over_mouth oops
🤫 shushing_face quiet secret
🤔 thinking hmm
🤐 zipper_mouth_face secret
🤨 raised_eyebrow doubt
😐 neutral_face meh
😑 expressionless meh
😶 no_mouth speechless
😏 smirk
😒 unamused bored
🙄 roll_eyes annoyed
😬 grimacing awkward
😌 relieved calm
😔 pensive sad
😪 sleepy tired
😴 sleeping zzz night
😷 mask ill
🤒 face_with_thermometer ill fever
🤕 face_with_head_bandage hurt
🤢 nauseated_face sick
🤧 sneezing_face cold
🥵 hot_face heat
🥶 cold_face freezing
🥴 woozy_face dizzy
🤯 exploding_head mind_blown shocked
🤠 cowboy_hat_face
🥳 partying_face party birthday
😎 sunglasses cool
🤓 nerd_face geek
🧐 monocle_face inspect
😕 confused
😟 worried
🙁 slightly_frowning_face sad
😮 open_mouth surprise
😲 astonished surprise
😳 flushed embarrassed
🥺 pleading_face please puppy
😦 frowning
😨 fearful scared
😰 cold_sweat nervous
😢 cry sad tear
😭 sob cry
😱 scream horror
😖 confounded
😞 disappointed sad
😓 sweat hard_work
😩 weary tired
😫 tired_face
🥱 yawning_face bored
😤 triumph huff
😡 rage angry
😠 angry mad
🤬 cursing_face swear
😈 smiling_imp devil
💀 skull dead
💩 poop shit
🤡 clown_face
👻 ghost halloween
👽 alien ufo
🤖 robot bot
😺 smiley_cat
😸 smile_cat
😹 joy_cat
🙈 see_no_evil monkey
🙉 hear_no_evil monkey
🙊 speak_no_evil monkey
👋 wave hello bye hi
🤚 raised_back_of_hand
✋ raised_hand stop high_five
🖖 vulcan_salute spock
👌 ok_hand perfect
🤏 pinching_hand small
✌️ v victory peace
🤞 crossed_fingers luck
🤟 love_you_gesture
🤘 metal rock
🤙 call_me_hand phone
👈 point_left
👉 point_right
👆 point_up_2 up
👇 point_down down
☝️ point_up
👍 +1 thumbsup yes ok agree
👎 -1 thumbsdown no disagree
✊ fist power
👊 facepunch punch bump
👏 clap applause bravo
🙌 raised_hands hooray
👐 open_hands
🤲 palms_up_together
🤝 handshake deal
🙏 pray thanks please
✍️ writing_hand note
💅 nail_care
💪 muscle strong
🧠 brain mind
👀 eyes look see
👁️ eye
👶 baby
🧒 child
👦 boy
👧 girl
🧑 adult person
👨 man
👩 woman
🧓 older_adult
🙋 raising_hand question me
🤦 facepalm
🤷 shrug dunno
🙇 bow sorry
💁 tipping_hand_person
🏃 runner run
🚶 walking
💃 dancer dance
🧑‍💻 technologist developer coder
🧑‍🍳 cook chef
🧑‍🚀 astronaut
🧑‍🔬 scientist
🦸 superhero
🧙 mage wizard
👪 family
❤️ heart love red
🧡 orange_heart
💛 yellow_heart
💚 green_heart
💙 blue_heart
💜 purple_heart
🖤 black_heart
🤍 white_heart
💔 broken_heart
💕 two_hearts
💖 sparkling_heart
💯 100 hundred perfect
💥 boom collision
💫 dizzy star
💦 sweat_drops
💨 dash fast
💬 speech_balloon comment chat
💭 thought_balloon
💤 zzz sleep
🐶 dog
🐱 cat
🐭 mouse
🐹 hamster
🐰 rabbit
🦊 fox_face fox
🐻 bear
🐼 panda_face panda
🐨 koala
🐯 tiger
🦁 lion
🐮 cow
🐷 pig
🐸 frog
🐵 monkey_face monkey
🐔 chicken
🐧 penguin linux
🐦 bird
🦆 duck
🦅 eagle
🦉 owl
🐺 wolf
🐴 horse
🦄 unicorn
🐝 bee
🐛 bug
🦋 butterfly
🐌 snail slow
🐞 lady_beetle ladybug
🐢 turtle slow
🐍 snake python
🐙 octopus
🦀 crab rust
🐠 tropical_fish fish
🐳 whale docker
🐬 dolphin
🦈 shark
🐘 elephant
🦒 giraffe
🦔 hedgehog
🦥 sloth lazy
🌵 cactus
🎄 christmas_tree
🌲 evergreen_tree tree
🌱 seedling plant grow
🍀 four_leaf_clover luck
🍁 maple_leaf autumn
🍄 mushroom
💐 bouquet flowers
🌹 rose
🌻 sunflower
🌸 cherry_blossom spring
🌍 earth_africa world globe
🌙 crescent_moon night
⭐ star favorite
🌟 star2 glowing
✨ sparkles new shiny
⚡ zap lightning fast
🔥 fire hot lit
🌈 rainbow
☀️ sunny sun weather
⛅ partly_sunny cloud
🌧️ cloud_with_rain
⛈️ thunderstorm
❄️ snowflake winter
⛄ snowman
🌊 ocean wave
💧 droplet water
🍎 apple
🍋 lemon
🍌 banana
🍉 watermelon
🍇 grapes
🍓 strawberry
🍒 cherries
🍑 peach
🍍 pineapple
🥑 avocado
🍅 tomato
🥕 carrot
🌽 corn
🌶️ hot_pepper chili
🥐 croissant
🍞 bread
🧀 cheese
🥚 egg
🥓 bacon
🍔 hamburger burger
🍟 fries
🍕 pizza
🌭 hotdog
🌮 taco
🥗 salad
🍝 spaghetti pasta
🍜 ramen noodles
🍣 sushi
🍦 icecream
🍩 doughnut donut
🍪 cookie
🎂 birthday cake
🍰 cake
🍫 chocolate_bar
🍿 popcorn
☕ coffee
🍵 tea
🍺 beer
🍻 beers cheers
🥂 clinking_glasses cheers
🍷 wine_glass
🍸 cocktail
🧃 juice_box
🎉 tada party hooray congratulations
🎊 confetti_ball party
🎈 balloon
🎁 gift present
🎃 jack_o_lantern halloween
🎆 fireworks
🏆 trophy win
🥇 first_place gold medal
🥈 second_place silver
🥉 third_place bronze
⚽ soccer football
🏀 basketball
🎾 tennis
🏓 ping_pong
🎯 dart target goal
🎮 video_game gaming
🎲 game_die dice
♟️ chess_pawn
🧩 jigsaw puzzle
🎨 art palette
🎬 clapper movie
🎤 microphone sing
🎧 headphones music
🎵 musical_note
🎸 guitar
🚗 car
🚌 bus
🚑 ambulance
🚒 fire_engine
🚲 bike bicycle
🚂 train locomotive
✈️ airplane flight
🚀 rocket launch ship deploy
🛸 flying_saucer ufo
⛵ sailboat
⚓ anchor
🚧 construction wip
🚦 traffic_light
🗺️ world_map
🏠 house home
🏢 office
🏥 hospital
🏖️ beach_umbrella holiday
⛰️ mountain
🏕️ camping
⌚ watch time
📱 iphone mobile phone
💻 computer laptop
⌨️ keyboard
🖥️ desktop_computer
🖨️ printer
💾 floppy_disk save
📷 camera photo
🎥 movie_camera video
📞 telephone_receiver call
📺 tv
⏰ alarm_clock
⏳ hourglass_flowing_sand wait
🔋 battery
🔌 electric_plug
💡 bulb idea light
🔦 flashlight
💰 moneybag
💳 credit_card
💎 gem diamond
🔧 wrench fix tool
🔨 hammer build
🛠️ hammer_and_wrench tools
⚙️ gear settings
🔩 nut_and_bolt
🧲 magnet
🧪 test_tube test
🔬 microscope
🔭 telescope
💊 pill
🩹 adhesive_bandage fix
🧹 broom cleanup
🔑 key
🔒 lock secure
🔓 unlock
🔗 link
📎 paperclip attach
✂️ scissors cut
📌 pushpin pin
📍 round_pushpin location
📝 memo note write
✏️ pencil2 edit
📖 book open_book read
📚 books
📅 date calendar
📈 chart_with_upwards_trend growth
📉 chart_with_downwards_trend
📊 bar_chart statistics
📋 clipboard
📁 file_folder
🗑️ wastebasket trash
📦 package box release
📬 mailbox mail
✉️ envelope email
🔔 bell notification
🔕 no_bell mute
📣 mega announcement
🔍 mag search
🛡️ shield security
⚖️ balance_scale law
🎓 mortar_board graduate
👑 crown king
🎩 tophat
👓 eyeglasses
☂️ umbrella rain
✅ white_check_mark done yes ok
☑️ ballot_box_with_check
✔️ heavy_check_mark
❌ x no cross wrong
❓ question
❗ exclamation important
‼️ bangbang
⚠️ warning caution
🚫 no_entry_sign forbidden
⛔ no_entry
🛑 stop_sign
♻️ recycle
🆕 new
🆗 ok
🆘 sos help
🔴 red_circle
🟠 orange_circle
🟡 yellow_circle
🟢 green_circle
🔵 large_blue_circle
🟣 purple_circle
⚫ black_circle
⚪ white_circle
➕ heavy_plus_sign add
➖ heavy_minus_sign
➡️ arrow_right
⬅️ arrow_left
⬆️ arrow_up
⬇️ arrow_down
🔄 arrows_counterclockwise refresh sync
🔁 repeat loop
🔙 back
🔜 soon
🔝 top
ℹ️ information_source info
💲 heavy_dollar_sign
©️ copyright
1️⃣ one
2️⃣ two
3️⃣ three
4️⃣ four
5️⃣ five
🏁 checkered_flag finish
🚩 triangular_flag_on_post
🏳️ white_flag
🏴‍☠️ pirate_flag
🏳️‍🌈 rainbow_flag pride
`;
