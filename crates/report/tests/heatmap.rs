//! The needle test's picture.

use longsight_report::heatmap::Heatmap;
use serde_json::json;

fn small() -> Heatmap {
    Heatmap {
        frames: vec![200, 400, 3000],
        depths_percent: vec![0, 25, 100],
        score: vec![
            vec![Some(0.0), Some(0.5), Some(1.0)],
            vec![None, Some(f64::NAN), Some(0.25)],
            vec![Some(1.0)],
        ],
        title: "Needles <in> \"a\" haystack".into(),
    }
}

fn large() -> Heatmap {
    let frames: Vec<usize> = (1..=30).map(|column| column * 100).collect();
    let score = (0..11).map(|row| (0..30).map(|column| Some(((row * column) % 11) as f64 / 10.0)).collect());
    Heatmap {
        frames,
        depths_percent: (0..=100).step_by(10).collect(),
        score: score.collect(),
        title: "V".repeat(300),
    }
}

/// Colour of the PNG at a unit's place.
fn pixel(image: &image::RgbImage, x: u32, y: u32) -> [u8; 3] {
    image.get_pixel(2 * x, 2 * y).0
}

fn luminance([red, green, blue]: [u8; 3]) -> f64 {
    0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue)
}

#[test]
fn json_is_long_va_s_list() {
    let cell = |frames: usize, depth: f64, score: f64| json!({"Num. Frame": frames, "Frame Depth": depth, "Score": score});
    assert_eq!(
        small().json(),
        // 25% rounds half to even; cells without a score are left out.
        json!([
            cell(200, 0.0, 0.0),
            cell(200, 100.0, 1.0),
            cell(400, 0.0, 0.5),
            cell(3000, 0.0, 1.0),
            cell(3000, 20.0, 0.25)
        ])
    );
    assert_eq!(small().mean(), Some(2.75 / 5.0));
}

#[test]
fn png_has_its_size_and_its_cells_colours() {
    let image = image::load_from_memory(&small().png().unwrap()).unwrap().to_rgb8();
    // 48 + max(3 x 64, 200) + 76 wide, 48 + max(3 x 28, 112) + 48 high, two pixels a unit.
    assert_eq!(image.dimensions(), (648, 416));
    let corner = |column: u32, row: u32| pixel(&image, 48 + column * 64 + 2, 48 + row * 28 + 2);
    let (zero, half, one) = (corner(0, 0), corner(1, 0), corner(2, 0));
    assert_eq!(corner(0, 2), one);
    assert_eq!(corner(0, 1), [226, 229, 232], "not measured");
    assert_eq!(corner(1, 1), corner(0, 1), "not a number");
    assert!(luminance(zero) < 60.0 && luminance(one) > 200.0, "{zero:?} {one:?}");
    assert!(luminance(zero) < luminance(corner(2, 1)) && luminance(corner(2, 1)) < luminance(half));
    assert!(zero[2] > zero[0] && one[0] > one[2], "from blue to yellow: {zero:?} {one:?}");
    assert_eq!(pixel(&image, 48 + 63, 48 + 2), [255, 255, 255], "white between cells");
    // The legend runs from 1 above to 0 below.
    let legend = 48 + 200 + 16 + 4;
    assert_eq!((pixel(&image, legend, 49), pixel(&image, legend, 48 + 110)), (one, zero));
}

#[test]
fn values_are_written_where_they_fit() {
    let (small, large) = (small().svg(), large().svg());
    assert!(
        small.contains(">0.50</text>") && small.contains(">3000</text>") && small.contains(">25%</text>")
    );
    assert!(!large.contains(">0.50</text>") && large.contains("<title>100 frames, depth 0%: 0.00</title>"));
    let labels = large.matches("</text>").count();
    assert!((20..=40).contains(&labels), "{labels} labels");
}

#[test]
fn svg_is_well_formed_and_described() {
    for map in [small(), large()] {
        let text = map.svg();
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        let child =
            |name: &str| root.children().find(|node| node.has_tag_name(name)).and_then(|node| node.text());
        let named = |name: &str| {
            root.children()
                .find(|node| node.tag_name().name() == name)
                .and_then(|node| node.text())
                .map(str::to_owned)
        };
        assert!(child("nothing").is_none());
        assert_eq!(named("title").unwrap(), map.title);
        assert!(named("desc").unwrap().starts_with("Score from 0 to 1 by frames"));
        assert_eq!(text, map.svg());
        assert_eq!(map.png().unwrap(), map.png().unwrap());
    }
}

#[test]
fn an_empty_map_is_drawn_and_an_endless_one_refused() {
    let empty = Heatmap { frames: vec![], depths_percent: vec![], score: vec![], title: String::new() };
    assert!(image::load_from_memory(&empty.png().unwrap()).is_ok());
    assert!(roxmltree::Document::parse(&empty.svg()).is_ok() && !empty.svg().contains("NaN"));
    assert_eq!((empty.mean(), empty.json()), (None, json!([])));
    let endless =
        Heatmap { frames: (0..2000).collect(), depths_percent: vec![0], score: vec![], title: "x".into() };
    assert!(endless.png().unwrap_err().to_string().contains("at most 1024"));
}
